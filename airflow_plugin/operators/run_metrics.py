"""Sends the counts of a run to Airflow's own metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_plugin import metrics
from airflow_plugin.jobs.merge_job import MergeJob
from airflow_plugin.metrics import Metric, of_check, of_stream, switched_on

if TYPE_CHECKING:
    from airflow.sdk import Context

    from config_schema.result import MergeResult


def send_run_metrics(job: MergeJob, result: MergeResult | None, context: Context) -> None:
    """Send the metrics of a try of the merge task; a job that left no result counts as an error."""
    if not switched_on():
        return
    from config_schema.result import ResultCode  # a parse loads as few modules as it can

    values: dict[Metric, float] = {}
    if (waited := _waited(context)) is not None:
        values[metrics.QUEUE] = waited * 1000
    if result is None or result.code is ResultCode.ERROR:
        values[metrics.ERRORS] = 1
    if result is not None and result.total is not None and result.batches:
        values |= {
            metrics.BATCH: result.seconds * 1000,
            metrics.BATCHES: result.batches,
            metrics.INSERTED: result.total.inserted,
            metrics.UPDATED: result.total.updated,
            metrics.DELETED: result.total.deleted,
            metrics.TOTAL: result.total.total,
        }
    tags = {"platform": job.platform_name, "stream": job.stream_key}
    checks = [(name, check) for name, of in (result.datasets if result else {}).items() for check in of.quality]
    if checks:
        broken = Counter(check.severity for _, check in checks if check.violations)
        values |= {metrics.BROKEN_WARN: broken["warn"], metrics.BROKEN_FAIL: broken["fail"]}
    metrics.send_from_task(of_stream(job.platform_name, job.stream_key), values, tags)
    for dataset, check in checks:
        prefix = of_check(job.platform_name, job.stream_key, dataset, check.check)
        of_this = tags | {"dataset": dataset, "check": check.check}
        found: dict[metrics.Metric, float] = {metrics.VIOLATIONS: check.violations}
        if check.value is not None:
            found[metrics.VALUE] = check.value
        metrics.send_from_task(prefix, found, of_this)


def _waited(context: Context) -> float | None:
    """Return the seconds from the planned start to this try; None for a retry, which waited on purpose."""
    run, task = context.get("dag_run"), context.get("ti")
    if run is None or task is None or task.try_number != 1:
        return None
    return max(0.0, (task.start_date - run.run_after).total_seconds())
