"""Adds the DAGs of all streams of a platform to a DAG file; streams with problems are reported, the others load."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from airflow.sdk import get_parsing_context
from airflow.sdk.definitions.dag import DAG

from airflow_plugin import metrics
from airflow_plugin.airflow_versions import conf, server_stats
from airflow_plugin.factory import build
from airflow_plugin.factory.shards import WHOLE, Shard, shard
from airflow_plugin.metrics import LOAD, Metric, of_platform, send, switched_on
from airflow_plugin.platform_dags.dags import platform_dag, platform_dags
from airflow_plugin.rows.evaluation import Evaluation, evaluate_streams
from airflow_plugin.rows.stream_loader import (
    Known,
    all_streams,
    keep,
    one_stream,
    settings_for_parse,
)
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.gc_paused import gc_paused

# A file's whole pass, until Airflow has stored its DAGs for the first time, takes this many times as long as publishing
# them (make bench-factory). The time of other files, parsed meanwhile, runs on as long.
PASS_FACTOR = 16
NEAR = 0.6

# Not public: in what process Airflow runs. Without it a parse takes a hundredth longer: the collector searches more.
CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"

PRIVATE = "%s: the merge store that is down: %s"  # for the log of a server, which its administrators read

log = logging.getLogger(__name__)


def publish_dags(namespace: dict[str, Any], platform: str, part: str | None = None, *, in_bundle: bool = False) -> bool:
    """Add the platform's DAGs to a DAG file's namespace; return whether the current rows were read.

    `in_bundle`: the platform's own DAGs are in another file, and rows are read whatever `cache_ttl` is, because a
    file is parsed when a row has changed.
    """
    settings, trouble = settings_for_parse(platform)
    if trouble is not None and settings.missing_file is None:
        log.warning("%s: the settings are those that were last parsed by: %s", platform, trouble)
    dag_id = get_parsing_context().dag_id
    if dag_id is None:
        which = shard(part)
        known = _all_dags(namespace, settings, which, cached=not in_bundle)
        if which.number == 1 and not in_bundle:
            namespace.update(platform_dags(settings))
        return known.trouble is None
    if (own := platform_dag(settings, dag_id)) is not None:
        namespace[dag_id] = own
    else:
        namespace.update(_dag_of_task(settings, dag_id))
    return True


def publish_platform_dags(namespace: dict[str, Any], platform: str) -> None:
    """Add the platform's own DAGs to a file without streams."""
    settings, _ = settings_for_parse(platform)
    namespace.update(platform_dags(settings))


def _all_dags(namespace: dict[str, Any], settings: PlatformSettings, part: Shard, *, cached: bool) -> Known:
    """Add the DAGs of a shard's streams to the namespace, in the dag-processor; return what is known of all streams."""
    began = time.monotonic()
    known = _known_streams(settings, cached)
    own = [*known.streams.values()]
    if part != WHOLE:
        own = [stream for stream in own if part.has(names.dag_id(settings.platform_name, stream.stream_key))]
    began_to_publish = time.monotonic()
    with gc_paused():
        loaded = evaluate_streams(own, settings, build.dag)
        if os.environ.get(CONTEXT) == "client":  # a child of the dag-processor: it ends with this file
            gc.freeze()  # what was built stays: the collector is not to search it, nor while Airflow serialises it
    keep(settings, known, loaded.streams)
    now = time.monotonic()
    seconds = now - began
    _tell(settings, known, loaded, seconds, now - began_to_publish)
    if known.trouble is not None and known.trouble.private:
        log.warning(PRIVATE, settings.original_platform_name, known.trouble.private)
    gauges = {
        metrics.ROWS: sum(stream.row is not None for stream in own),
        metrics.DAGS: len(loaded.made),
        metrics.SET_ASIDE: len(loaded.quarantined),
        metrics.SNAPSHOT_AGE: round(known.age),
    }
    report_load(settings.platform_name, part, seconds=seconds, gauges=gauges)
    namespace.update(loaded.made)
    return known


def _known_streams(settings: PlatformSettings, cached: bool) -> Known:
    """Return the streams for a parse; the full reason why there are none goes to the dag-processor's own log.

    The error itself becomes an import error, which everybody sees who may see the file's DAGs.
    """
    try:
        return all_streams(settings, cached=cached)
    except StreamFactoryError as error:
        if error.private:
            log.warning(PRIVATE, settings.original_platform_name, error.private)
        raise


def _dag_of_task(settings: PlatformSettings, dag_id: str) -> dict[str, DAG]:
    """Return, in a worker, the one DAG that Airflow names, from its row only."""
    known = one_stream(settings, dag_id, last_good=False)
    loaded = evaluate_streams(known.streams.values(), settings, build.dag)
    if known.trouble is None and (dag_id not in loaded.made or len(known.streams) > 1):  # what was last good decides
        known = one_stream(settings, dag_id, last_good=True)
        loaded = evaluate_streams(known.streams.values(), settings, build.dag)
    _tell_troubles(settings, known, loaded)
    if dag_id in loaded.made:
        return loaded.made
    from airflow_plugin.factory.errors import DagGone, DagQuarantined  # a parse loads as few modules as it can

    if loaded.quarantined:
        raise DagQuarantined(dag_id, (one for stream in loaded.quarantined.values() for one in stream.problems))
    raise DagGone(dag_id, names.stream_table(settings.platform_name))


def _tell(
    settings: PlatformSettings, known: Known, loaded: Evaluation[DAG], seconds: float, publishing_seconds: float
) -> None:
    """Log the result for the streams, and warn of a file that becomes too large.

    The time in which a merge store answers is in `seconds` only: more shards would wait for it as long.
    """
    log.info(
        "%s: streams that are DAGs now: %d, quarantined: %d, in %.0f ms",
        settings.original_platform_name,
        len(loaded.made),
        len(loaded.quarantined),
        seconds * 1000,
    )
    _tell_troubles(settings, known, loaded)
    limit = conf.getfloat("dag_processor", "dag_file_processor_timeout")
    if publishing_seconds * PASS_FACTOR > limit * NEAR:
        log.warning(
            "%s: this file comes near to dag_file_processor_timeout (%.0f s), after which its DAGs would go stale: "
            "split it with dagfactory bootstrap --shards",
            settings.original_platform_name,
            limit,
        )


def _tell_troubles(settings: PlatformSettings, known: Known, loaded: Evaluation[DAG]) -> None:
    platform = settings.original_platform_name
    if known.trouble is not None:
        log.warning(
            "%s: the stream table cannot be read; the DAGs are those of the snapshot of %.0f s ago: %s",
            platform,
            known.age,
            known.trouble,
        )
    if loaded.quarantined:
        from config_schema.printable import printable  # a parse loads as few modules as it can
    for stream_key, stream in loaded.quarantined.items():
        outcome = "its DAG stays as it was last good" if stream.kept else "it has no DAG"
        for problem in stream.problems:
            log.warning("%s: stream %s is quarantined, %s: %s", platform, printable(stream_key), outcome, problem)


def report_load(platform: str, part: Shard, *, seconds: float, gauges: Mapping[Metric, float]) -> None:
    """Send the time of loading and the gauges beside it; a shard has its own names.

    Costs nothing and imports nothing while all metrics are switched off.
    """
    if not switched_on():
        return
    shard = "" if part == WHOLE else f"{part.number}_of_{part.count}"
    tags = {"platform": platform, "shard": str(part)}
    send(server_stats, of_platform(platform, shard), {LOAD: seconds * 1000, **gauges}, tags)
