"""What loading a platform's streams took and gave, sent to Airflow's own metrics."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_plugin.factory.shards import WHOLE, Shard
from airflow_plugin.metrics import LOAD, Metric, of_platform, send, switched_on


def report(platform: str, part: Shard, *, seconds: float, gauges: Mapping[Metric, float]) -> None:
    """Send the time of loading and the gauges beside it; a shard has names of its own.

    Costs nothing and imports nothing while all metrics are switched off.
    """
    if not switched_on():
        return
    from airflow.observability import stats

    shard = "" if part == WHOLE else f"{part.number}_of_{part.count}"
    tags = {"platform": platform, "shard": str(part)}
    send(stats, of_platform(platform, shard), {LOAD: seconds * 1000, **gauges}, tags)
