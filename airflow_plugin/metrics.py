"""All metrics sent to Airflow, by name: statsd, Datadog or OpenTelemetry (docs/reference/metrics.md).

Names hold the platform and the stream, since plain statsd has no tags: `stream_factory.yellowlive.late_streams`,
`stream_factory.yellowlive.stream.Store1.inserted`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_plugin.airflow_versions import Stats, conf, task_stats

SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")
NO_PART_OF_A_NAME = re.compile(r"[^A-Za-z0-9_-]")

log = logging.getLogger(__name__)


class MetricKind(Enum):
    """How a metric is aggregated."""

    GAUGE = "gauge"
    COUNTER = "counter"
    TIMING = "timing"  # sent in milliseconds


@dataclass(frozen=True)
class Metric:
    """A metric, as docs/reference/metrics.md lists it."""

    name: str
    kind: MetricKind
    meaning: str


# For a platform, or for each of its shards: sent by each parse of its file.
ROWS = Metric("rows", MetricKind.GAUGE, "streams with a row that is not retired")
DAGS = Metric("dags", MetricKind.GAUGE, "streams that are DAGs")
SET_ASIDE = Metric("set_aside", MetricKind.GAUGE, "quarantined streams, whether their DAG goes on or not")
SNAPSHOT_AGE = Metric(
    "snapshot_age_seconds", MetricKind.GAUGE, "0 while the table is read; else how old is what DAGs go by"
)
LOAD = Metric("load_duration", MetricKind.TIMING, "reading, judging and building")
LOADING = (ROWS, DAGS, SET_ASIDE, SNAPSHOT_AGE, LOAD)

# For a platform: sent by check_streams, every five minutes.
STREAMS = Metric("streams", MetricKind.GAUGE, "streams that are not retired")
LATE_STREAMS = Metric("late_streams", MetricKind.GAUGE, "active streams that are later than their latency need")
FAILING_STREAMS = Metric(
    "failing_streams", MetricKind.GAUGE, "active streams whose runs fail: no retry helps, or too many in a row"
)
NEVER_SUCCEEDED = Metric("never_succeeded_streams", MetricKind.GAUGE, "streams that have failed and never succeeded")
NEVER_RUN = Metric(
    "never_run_streams", MetricKind.GAUGE, "active streams of which no run has ended yet, so that nothing is merged"
)
UNKNOWN_STREAMS = Metric("unknown_streams", MetricKind.GAUGE, "streams that could not be judged for lack of a right")
WARNING_STREAMS = Metric(
    "quality_warning_streams", MetricKind.GAUGE, "streams whose last batch broke a quality check of severity `warn`"
)
PROBLEMS = Metric("problems", MetricKind.GAUGE, "all that check_streams lists")
IS_JUDGED = Metric(
    "judged", MetricKind.GAUGE, "1; or 0 if the streams could not be judged: then the others are of an earlier check"
)
HEALTH = (
    *(STREAMS, LATE_STREAMS, FAILING_STREAMS, NEVER_SUCCEEDED, NEVER_RUN, UNKNOWN_STREAMS),
    *(WARNING_STREAMS, PROBLEMS, IS_JUDGED),
)

# For a platform: sent by collect_metrics of its infrastructure DAG, once a day.
TABLES_BYTES = Metric("merge_tables_bytes", MetricKind.GAUGE, "all merge tables with their indexes")
ARCHIVED_BYTES = Metric("archived_bytes", MetricKind.GAUGE, "merge tables of retired streams that were archived")
CAPACITY = (TABLES_BYTES, ARCHIVED_BYTES)

# For each stream with merge tables: sent by collect_metrics.
STREAM_BYTES = Metric("merge_table_bytes", MetricKind.GAUGE, "its merge tables with their indexes")
STREAM_ROWS = Metric("merge_table_rows", MetricKind.GAUGE, "about so many rows they have, closed versions too")
STORED = (STREAM_BYTES, STREAM_ROWS)

# For each active stream: sent by check_streams.
AGE = Metric("age_seconds", MetricKind.GAUGE, "since the merge table was last made equal to its source, or seen to be")
LATE = Metric("late_seconds", MetricKind.GAUGE, "how much more than its latency need that is; 0 if it is not late")
FRESHNESS = (AGE, LATE)

# For a stream: sent by each try of its merge task.
BATCH = Metric("batch_duration", MetricKind.TIMING, "what the batches of a run took")
QUEUE = Metric("queue_duration", MetricKind.TIMING, "from when a run was to start until its first task did")
BATCHES = Metric("batches", MetricKind.COUNTER, "batches committed")
INSERTED = Metric("inserted", MetricKind.COUNTER, "keys that were not there")
UPDATED = Metric("updated", MetricKind.COUNTER, "keys whose row changed")
DELETED = Metric("deleted", MetricKind.COUNTER, "keys that are gone")
ERRORS = Metric("errors", MetricKind.COUNTER, "tries that failed")
TOTAL = Metric("total_rows", MetricKind.GAUGE, "rows of the source at the last batch")
BROKEN_WARN = Metric(
    "quality_warnings", MetricKind.GAUGE, "quality checks of severity `warn` that the run found broken"
)
BROKEN_FAIL = Metric(
    "quality_failures", MetricKind.GAUGE, "quality checks of severity `fail` that the run found broken"
)
RUN = (BATCH, QUEUE, BATCHES, INSERTED, UPDATED, DELETED, ERRORS, TOTAL, BROKEN_WARN, BROKEN_FAIL)

# For each quality check of a stream: sent by each try of its merge task that ran it.
VIOLATIONS = Metric("violations", MetricKind.GAUGE, "rows that break the check, or 1 if its value is out of bounds")
VALUE = Metric("value", MetricKind.GAUGE, "what the check has measured: a share, or a quotient")
CHECKS = (VIOLATIONS, VALUE)

OF_PLATFORMS = (*LOADING, *HEALTH, *CAPACITY)
OF_STREAMS = (*FRESHNESS, *RUN, *STORED)


def switched_on() -> bool:
    """Return whether Airflow sends any metrics; imports none of their code."""
    return any(conf.getboolean("metrics", switch, fallback=False) for switch in SWITCHES)


def of_platform(platform: str, shard: str = "") -> str:
    """Return what the names of a platform's metrics begin with."""
    return f"stream_factory.{platform}.{shard}." if shard else f"stream_factory.{platform}."


def of_stream(platform: str, stream_key: str) -> str:
    """Return what the names of a stream's metrics begin with; other characters than letters and digits become `_`."""
    return f"stream_factory.{platform}.stream.{NO_PART_OF_A_NAME.sub('_', stream_key)}."


def of_check(platform: str, stream_key: str, dataset: str, check: str) -> str:
    """Return what the names of the metrics of a quality check begin with."""
    dataset, check = (NO_PART_OF_A_NAME.sub("_", name) for name in (dataset, check))
    return f"{of_stream(platform, stream_key)}quality.{dataset}.{check}."


def send(client: Callable[[], Stats], prefix: str, values: Mapping[Metric, float], tags: Mapping[str, str]) -> None:
    """Send values by Airflow's metrics client: that of servers, or that of tasks. Never raises."""
    try:
        stats = client()
        for metric, value in values.items():
            match metric.kind:
                case MetricKind.GAUGE:
                    stats.gauge(prefix + metric.name, value, tags=dict(tags))
                case MetricKind.COUNTER:
                    stats.incr(prefix + metric.name, int(value), tags=dict(tags))
                case MetricKind.TIMING:
                    stats.timing(prefix + metric.name, value, tags=dict(tags))
    except Exception as error:  # whatever happens to the metrics, the work comes first
        log.warning("%s: the metrics were not sent: %s", prefix.rstrip("."), error)


def send_from_task(prefix: str, values: Mapping[Metric, float], tags: Mapping[str, str]) -> None:
    """Send values by the metrics client that Airflow gives to tasks. Never raises."""
    send(task_stats, prefix, values, tags)
