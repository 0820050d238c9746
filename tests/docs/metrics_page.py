"""docs/reference/metrics.md: every metric, from the one list of them."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_plugin import metrics
from airflow_plugin.metrics import Metric, MetricKind
from tests.docs.markdown import cell, code, table

INTRODUCTION = """\
# Metrics

What is sent to Airflow's own metrics, once they are on (`[metrics] statsd_on`, `statsd_datadog_enabled` or `otel_on`).
By statsd the names begin with Airflow's prefix, `airflow.` where nothing else is set. What is no letter or digit of a
stream's key is `_` in names; where the backend takes tags there are `platform`, `shard` and `stream` too, and of a
quality check `dataset` and `check`.

"in Prometheus" is the name by the mapping of statsd_exporter in
[official-airflow-values.yaml](../../helm/official-airflow-values.yaml), with the labels `platform` and `stream`, or
`shard`. A timing is sent in milliseconds; there it is a summary in seconds, with `_count`, `_sum` and quantiles.
"""
GROUPS = (
    (
        "Of a platform, by each parse of its file",
        "`stream_factory.<platform>.`; of a platform split into shards `stream_factory.<platform>.1_of_4.`",
        "stream_factory_",
        metrics.LOADING,
    ),
    (
        "Of a platform, by `check_streams`",
        "`stream_factory.<platform>.`, every five minutes",
        "stream_factory_",
        metrics.HEALTH,
    ),
    (
        "Of an active stream, by `check_streams`",
        "`stream_factory.<platform>.stream.<stream>.`",
        "stream_factory_stream_",
        metrics.FRESHNESS,
    ),
    (
        "Of a stream, by each try of its merge task",
        "`stream_factory.<platform>.stream.<stream>.`",
        "stream_factory_stream_",
        metrics.RUN,
    ),
    (
        "Of a quality check, by each try of the merge task that ran it",
        "`stream_factory.<platform>.stream.<stream>.quality.<dataset>.<check>.`",
        "stream_factory_check_",
        metrics.CHECKS,
    ),
    (
        "Of a platform, by `collect_metrics`",
        "`stream_factory.<platform>.`, once a day by its infrastructure DAG",
        "stream_factory_",
        metrics.CAPACITY,
    ),
    (
        "Of a stream with merge tables, by `collect_metrics`",
        "`stream_factory.<platform>.stream.<stream>.`",
        "stream_factory_stream_",
        metrics.STORED,
    ),
)


def metrics_page() -> str:
    """The whole page."""
    sections = [INTRODUCTION]
    for title, prefix, exported, of_group in GROUPS:
        heads = ("metric", "in Prometheus", "kind", "what it is")
        sections.append(f"## {title}\n\nNames begin with {prefix}\n\n{table(heads, _rows(of_group, exported))}")
    return "\n".join(sections)


def _rows(group: Iterable[Metric], exported: str) -> Iterable[tuple[str, ...]]:
    for one in group:
        kind = "timing, ms" if one.kind is MetricKind.TIMING else one.kind.value
        yield code(one.name), code(exported + one.name), kind, cell(one.meaning)
