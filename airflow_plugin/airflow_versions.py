"""What differs between the versions of Airflow that this runs on: where names are, and which versions are known.

`from airflow_plugin.airflow_versions import conf` imports that name from where the Airflow here has it, and
nothing else, since each parse pays for what it imports. docs/airflow-versions.md says what else of Airflow is used.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow.sdk.bases.branch import BaseBranchOperator
    from airflow.sdk.configuration import conf
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.timetables.trigger import CronTriggerTimetable
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSkipException,
        AirflowTaskTimeout,
        DagRunTriggerException,
        TaskDeferralError,
        TaskDeferred,
    )

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "AsyncCallback",
    "BaseBranchOperator",
    "CronTriggerTimetable",
    "DagRunTriggerException",
    "TaskDeferralError",
    "TaskDeferred",
    "conf",
]

KNOWN = ("3.1", "3.2", "3.3")  # tests/airflow run on the newest of each
TESTED = f"which is tested on {', '.join(KNOWN[:-1])} and {KNOWN[-1]}"
CORE = "apache-airflow-core"

EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
# The modules that may have a name, newest Airflow first; the last ones are those of 3.1.
PLACES = {
    "AirflowFailException": EXCEPTIONS,
    "AirflowNotFoundException": EXCEPTIONS,
    "AirflowRescheduleException": EXCEPTIONS,
    "AirflowSkipException": EXCEPTIONS,
    "AirflowTaskTimeout": EXCEPTIONS,
    "DagRunTriggerException": EXCEPTIONS,
    "TaskDeferralError": EXCEPTIONS,
    "TaskDeferred": EXCEPTIONS,
    "AsyncCallback": ("airflow.sdk.definitions.callback", "airflow.sdk.definitions.deadline"),
    "BaseBranchOperator": ("airflow.sdk.bases.branch", "airflow.providers.standard.operators.branch"),
    "CronTriggerTimetable": ("airflow.sdk.definitions.timetables.trigger", "airflow.timetables.trigger"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
}
STATS_OF_TASKS = ("airflow.sdk.observability.stats", "airflow.stats")
STATS_OF_SERVERS = ("airflow.observability.stats", "airflow.stats")

log = logging.getLogger(__name__)


class Stats(Protocol):
    """What sends metrics: a module of functions from Airflow 3.3 on, a class before."""

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> Any:
        """Send the present value of something."""

    def incr(self, stat: str, count: int, *, tags: dict[str, str]) -> Any:
        """Add to a counter."""

    def timing(self, stat: str, dt: float, *, tags: dict[str, str]) -> Any:
        """Send how many milliseconds something took."""


def __getattr__(name: str) -> Any:
    """Return one of PLACES from the first module that has it. Raises ImportError, as a missing module does."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = _found(name, PLACES[name])
    return found


def task_stats() -> Stats:
    """Return what sends metrics in a task."""
    return _stats(STATS_OF_TASKS)


def server_stats() -> Stats:
    """Return what sends metrics in the scheduler and in the dag-processor, where files are parsed."""
    return _stats(STATS_OF_SERVERS)


@cache
def unknown_version() -> str | None:
    """Return the version of the Airflow here if it is none of KNOWN, else None; None without Airflow."""
    try:
        found = version(CORE)
    except PackageNotFoundError:
        return None
    return None if ".".join(found.split(".")[:2]) in KNOWN else found


def warn_of_unknown_version() -> None:
    """Log a warning where this Airflow is of a version that was not tested."""
    if (found := unknown_version()) is not None:
        log.warning("Airflow %s is not known to this version of the stream factory, %s", found, TESTED)


def _stats(places: tuple[str, ...]) -> Stats:
    module = _module(places)
    found: Stats = module if hasattr(module, "gauge") else module.Stats
    return found


def _module(places: tuple[str, ...]) -> Any:
    for place in places[:-1]:
        try:
            return import_module(place)
        except ModuleNotFoundError:
            continue
    return import_module(places[-1])


def _found(name: str, places: tuple[str, ...]) -> Any:
    for place in places[:-1]:
        try:
            return getattr(import_module(place), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    module = import_module(places[-1])
    try:
        return getattr(module, name)
    except AttributeError:
        raise ImportError(f"cannot import name {name!r} from any of {', '.join(places)}") from None
