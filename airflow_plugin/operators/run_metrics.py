"""What a run did and how fresh its data is, told to Airflow's own metrics by the tasks that know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_plugin import metrics
from airflow_plugin.metrics import Metric, of_platform, of_stream, switched_on
from airflow_plugin.operators.merge_job import MergeJob
from config_schema.result import MergeResult, ResultCode

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.batch_table import TableSize
    from airflow_plugin.health.streams import Health


def tell_run(job: MergeJob, result: MergeResult | None, context: Context) -> None:
    """Tell of a try of the merge task; a job that left no result is an error too."""
    if not switched_on():
        return
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
    _tell(of_stream(job.platform_name, job.stream_key), values, tags)


def tell_health(platform: str, health: Health) -> None:
    """Tell what check_streams has found: how many streams are late, and how old the data of each is."""
    if not switched_on():
        return
    problems = len(health.problems)
    counts = {metrics.STREAMS: health.known, metrics.LATE_STREAMS: health.late, metrics.PROBLEMS: problems}
    _tell(of_platform(platform), counts, {"platform": platform})
    for stream_key, age in health.ages.items():
        values = {metrics.AGE: age.seconds, metrics.LATE: age.late_seconds}
        _tell(of_stream(platform, stream_key), values, {"platform": platform, "stream": stream_key})


def tell_capacity(platform: str, archive: str, sizes: Sequence[TableSize]) -> None:
    """Tell how much room merge tables take, by stream and put aside; `archive` is the schema of the latter."""
    if not switched_on():
        return
    aside = sum(table.size for table in sizes if table.schema == archive)
    kept = [table for table in sizes if table.schema != archive]
    whole = {metrics.TABLES_BYTES: sum(table.size for table in kept), metrics.ARCHIVED_BYTES: aside}
    _tell(of_platform(platform), whole, {"platform": platform})
    for stream in sorted({table.stream for table in kept}):
        own = [table for table in kept if table.stream == stream]
        values = {
            metrics.STREAM_BYTES: sum(table.size for table in own),
            metrics.STREAM_ROWS: sum(table.rows for table in own),
        }
        _tell(of_stream(platform, stream), values, {"platform": platform, "stream": stream})


def _tell(prefix: str, values: Mapping[Metric, float], tags: Mapping[str, str]) -> None:
    from airflow.sdk.observability import stats

    metrics.tell(stats, prefix, values, tags)


def _waited(context: Context) -> float | None:
    """Seconds from when the run was to start until this try did; None for a retry, which waited on purpose."""
    run, task = context.get("dag_run"), context.get("ti")
    if run is None or task is None or task.try_number != 1:
        return None
    return max(0.0, (task.start_date - run.run_after).total_seconds())
