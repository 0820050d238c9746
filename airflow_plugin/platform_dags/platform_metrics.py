"""Send how fresh and how large a platform's streams are to Airflow's own metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_plugin import metrics
from airflow_plugin.metrics import of_platform, of_stream, switched_on
from config_schema.stream_health import HealthState

if TYPE_CHECKING:
    from airflow_plugin.control.batch_table import TableSize
    from airflow_plugin.health.streams import Health


def send_health_metrics(platform: str, health: Health | None) -> None:
    """Send what check_streams has found: how many streams are late or fail, and how old the data of each is.

    None: the streams could not be judged.
    """
    if not switched_on():
        return
    if health is None:
        metrics.send_from_task(of_platform(platform), {metrics.IS_JUDGED: 0}, {"platform": platform})
        return
    counts = {
        metrics.STREAMS: len(health.verdicts),
        metrics.LATE_STREAMS: health.late,
        metrics.FAILING_STREAMS: health.count(HealthState.FAILING),
        metrics.NEVER_SUCCEEDED: health.count(HealthState.NEVER_SUCCEEDED),
        metrics.NEVER_RUN: health.count(HealthState.NEVER_RUN),
        metrics.UNKNOWN_STREAMS: health.count(HealthState.UNKNOWN),
        metrics.WARNING_STREAMS: len(health.warnings),
        metrics.PROBLEMS: len(health.problems),
        metrics.IS_JUDGED: 1,
    }
    metrics.send_from_task(of_platform(platform), counts, {"platform": platform})
    for stream_key, age in health.ages.items():
        values = {metrics.AGE: age.seconds, metrics.LATE: age.late_seconds}
        metrics.send_from_task(of_stream(platform, stream_key), values, {"platform": platform, "stream": stream_key})


def send_capacity_metrics(platform: str, archive: str, sizes: Sequence[TableSize]) -> None:
    """Send how much room merge tables take, by stream and archived; `archive` is the schema of the latter."""
    if not switched_on():
        return
    aside = sum(table.size for table in sizes if table.schema == archive)
    kept = [table for table in sizes if table.schema != archive]
    whole = {metrics.TABLES_BYTES: sum(table.size for table in kept), metrics.ARCHIVED_BYTES: aside}
    metrics.send_from_task(of_platform(platform), whole, {"platform": platform})
    for stream in sorted({table.stream for table in kept}):
        own = [table for table in kept if table.stream == stream]
        values = {
            metrics.STREAM_BYTES: sum(table.size for table in own),
            metrics.STREAM_ROWS: sum(table.rows for table in own),
        }
        metrics.send_from_task(of_stream(platform, stream), values, {"platform": platform, "stream": stream})
