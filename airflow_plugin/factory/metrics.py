"""What loading a platform's streams took and gave, told to Airflow's own metrics: statsd, Datadog or OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from airflow.sdk.configuration import conf

from airflow_plugin.factory.shards import WHOLE, Shard

SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")

log = logging.getLogger(__name__)


def report(platform: str, part: Shard, *, seconds: float, gauges: Mapping[str, float]) -> None:
    """`stream_factory.<platform>.load_milliseconds`, and the gauges beside it; a shard has its own names below it.

    Costs nothing and imports nothing while all metrics are switched off.
    """
    if not any(conf.getboolean("metrics", switch, fallback=False) for switch in SWITCHES):
        return
    name = f"stream_factory.{platform}" + ("" if part == WHOLE else f".{part.number}_of_{part.count}")
    tags = {"platform": platform, "shard": str(part)}
    try:
        from airflow.observability import stats

        stats.timing(f"{name}.load_milliseconds", seconds * 1000, tags=tags)
        for gauge, value in gauges.items():
            stats.gauge(f"{name}.{gauge}", value, tags=tags)
    except Exception as error:  # whatever befalls the metrics, the DAGs come first
        log.warning("%s: the metrics of loading are not told: %s", platform, error)
