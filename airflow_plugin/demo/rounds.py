"""The demo's rounds: both platforms are run by Airflow, and what each run reports is held against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from airflow_plugin.demo.airflow import DemoAirflow
from airflow_plugin.demo.api import ENDED, POLL_SECONDS
from airflow_plugin.demo.databases import Databases
from airflow_plugin.demo.errors import DemoRunFailed
from airflow_plugin.demo.truth import TABLES, Expected, Merged, Rows, differences, expected, merged_rows, source_rows
from airflow_plugin.jobs.merge_job import MERGE_TASK
from config_schema import names
from config_schema.result import ResultCode

STORE = "Store1"
RUN_SECONDS = 180


@dataclass(frozen=True)
class DemoPlatform:
    """A platform of the demo."""

    original: str
    forensic: bool

    @property
    def name(self) -> str:
        """The platform's name in tables and DAG ids."""
        return names.platform_name(self.original)

    @property
    def dag_id(self) -> str:
        """The id of the stream's DAG."""
        return names.dag_id(self.name, STORE)

    def table(self, dataset: str) -> str:
        """Return the name of a dataset's merge table."""
        return names.merge_table(self.name, STORE, dataset)


PLATFORMS = (DemoPlatform("YellowLive", forensic=False), DemoPlatform("YellowForensic", forensic=True))


@dataclass(frozen=True)
class Line:
    """One line of the table: what Airflow has of a round, and how that differs from the truth."""

    platform: str
    round: str
    dataset: str
    counts: dict[str, int]
    seconds: float
    code: int
    differs: tuple[str, ...]


Before = dict[tuple[DemoPlatform, str], Merged]


def run_round(label: str, airflow: DemoAirflow, databases: Databases, report: Callable[[str], None]) -> list[Line]:
    """Trigger every platform's DAG, wait for the runs, and compare. The source must not change meanwhile."""
    before = _merge_tables(databases)
    source = _source(databases)
    results = _run_all(label, airflow, report)
    after = _merge_tables(databases)
    return [
        _line(label, platform, dataset, results[platform], source[dataset], before, after)
        for platform in PLATFORMS
        for dataset in TABLES
    ]


def _run_all(label: str, airflow: DemoAirflow, report: Callable[[str], None]) -> dict[DemoPlatform, Any]:
    """Run all platforms at once, and return what each merge task returned."""
    started = time.monotonic()
    running = {platform: airflow.api.trigger(platform.dag_id) for platform in PLATFORMS}
    results: dict[DemoPlatform, Any] = {}
    while waited_for := running.keys() - results.keys():
        for platform in waited_for:
            state = airflow.api.state(platform.dag_id, running[platform])
            seconds = time.monotonic() - started
            if state in ENDED:
                tries = airflow.api.tries(platform.dag_id, running[platform], MERGE_TASK)
                again = f", the merge tried {tries} times" if tries > 1 else ""
                report(f"{label}: {platform.dag_id} {state} in {seconds:.1f} s{again}")
                results[platform] = _result(airflow, platform, running[platform], state)
            elif seconds > RUN_SECONDS:
                raise _no_result(airflow, platform, f"run {running[platform]} is {state} after {seconds:.0f} s")
        airflow.check_alive()
        time.sleep(POLL_SECONDS)
    return results


def _result(airflow: DemoAirflow, platform: DemoPlatform, run_id: str, state: str) -> Any:
    result = airflow.api.returned(platform.dag_id, run_id, MERGE_TASK)
    if state == "success" and isinstance(result, dict):
        return result
    what = f"run {run_id} ended as {state}, and {MERGE_TASK} returned {type(result).__name__}"
    raise _no_result(airflow, platform, what)


def _no_result(airflow: DemoAirflow, platform: DemoPlatform, what: str) -> DemoRunFailed:
    return DemoRunFailed(platform.dag_id, what, airflow.home / "logs")


def _line(
    label: str, platform: DemoPlatform, dataset: str, result: Any, source: Rows, before: Before, after: Before
) -> Line:
    reported = result["datasets"].get(dataset, {"counts": {}, "seconds": 0.0})
    at = (platform, dataset)
    true = expected(source, before[at].current)
    differs = differences(source, before[at], after[at], result["batch_id"], forensic=platform.forensic)
    differs += _unequal_counts(reported["counts"], true)
    if result["code"] != ResultCode.DONE:
        differs.append(f"the result code is {result['code']}")
    return Line(
        platform.original, label, dataset, reported["counts"], reported["seconds"], result["code"], tuple(differs)
    )


def _unequal_counts(reported: dict[str, int], true: Expected) -> list[str]:
    return [
        f"{name} is reported as {reported.get(name)}, and is {number}"
        for name, number in asdict(true).items()
        if reported.get(name) != number
    ]


def _source(databases: Databases) -> dict[str, Rows]:
    connection = databases.connect("customer_db")
    try:
        return {dataset: source_rows(connection, dataset) for dataset in TABLES}
    finally:
        connection.close()


def _merge_tables(databases: Databases) -> Before:
    connection = databases.connect("datasurface_merge")
    try:
        return {
            (platform, dataset): merged_rows(connection, platform.table(dataset), dataset, forensic=platform.forensic)
            for platform in PLATFORMS
            for dataset in TABLES
        }
    finally:
        connection.close()
