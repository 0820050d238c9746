"""What the tests use of Airflow under the name that the Airflow here has for it; the newest comes first."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

from airflow_plugin.airflow_versions import task_stats


def serialized(dag: Any) -> dict[str, Any]:
    """A DAG as Airflow stores it."""
    from airflow.serialization import serialized_objects

    serialization = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    return json.loads(json.dumps(serialization.to_dict(dag), sort_keys=True))["dag"]


def core_timetable(timetable: Any) -> Any:
    """The scheduler's timetable for one of a DAG; until 3.1 they are the same."""
    try:
        from airflow.serialization.encoders import coerce_to_core_timetable
    except ModuleNotFoundError:
        return timetable
    return coerce_to_core_timetable(timetable)


def cron_of(timetable: Any) -> tuple[str, str]:
    """The expression and the time zone of a cron timetable."""
    return core_timetable(timetable)._expression, str(core_timetable(timetable)._timezone)


def dag_bag(file: Path, bundle: Path) -> Any:
    """The DAGs of a file, as a child of the dag-processor finds them."""
    try:
        from airflow.dag_processing.dagbag import BundleDagBag
    except ModuleNotFoundError:
        from airflow.models.dagbag import DagBag

        return DagBag(dag_folder=str(file), bundle_path=bundle, include_examples=False)
    return BundleDagBag(dag_folder=str(file), bundle_path=bundle, bundle_name="streams")


@contextmanager
def statsd_of_tasks() -> Iterator[None]:
    """Send metrics of this process to where its environment says until the end."""
    stats: Any = task_stats()
    sender = _statsd_logger()
    _send_by(stats, lambda: sender)
    yield
    sender.statsd.close()
    _send_by(stats, _no_stats())


def _send_by(stats: Any, factory: Callable[[], Any]) -> None:
    if not isinstance(stats, type):
        stats.initialize(factory=factory, export_legacy_names=False)
    elif hasattr(type(stats), "initialize"):  # 3.2
        stats.initialize(factory=factory)
    else:
        stats.instance, stats._instance_pid = factory(), os.getpid()


def _statsd_logger() -> Any:
    try:
        from airflow.sdk.observability.metrics.statsd_logger import get_statsd_logger
    except ModuleNotFoundError:
        from airflow.metrics.statsd_logger import get_statsd_logger
    # Until 3.1 it is a function that asks for a class, of which it makes no use.
    return get_statsd_logger(*(None for _ in signature(get_statsd_logger).parameters))


def _no_stats() -> Callable[[], Any]:
    try:
        from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    except ModuleNotFoundError:
        from airflow.metrics.base_stats_logger import NoStatsLogger
    return NoStatsLogger
