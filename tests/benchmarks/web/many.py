"""A world with as many streams, batches and runs as one likes: rows by sync's way, the rest by SQL in one go."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg2
from psycopg2 import sql

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema import names
from config_schema.result import Counts, DatasetResult, MergeResult, ResultCode
from tests.airflow.conftest import config
from tests.web.world import PLATFORMS, World

# As long as a job's own: a guard for each dataset.
STATE = {"attempt": "a" * 32, "schema": "f" * 64, "datasets": {"customers": {"guard": "g" * 300, "rows": 1000}}}

BATCHES = """
    INSERT INTO {metrics} (key, batch_id, batch_start_time, batch_end_time, batch_status, records_inserted,
        records_updated, records_deleted, total_records, state, run_id, result_json, source_snapshot_time, strategy)
    SELECT stream.stream_key, batch, now() - (%(each)s - batch) * interval '15 minutes' - interval '9 seconds',
        now() - (%(each)s - batch) * interval '15 minutes', 'committed', batch, 1, 0, 1000, %(state)s,
        'run_' || batch, %(result)s, now() - (%(each)s - batch) * interval '15 minutes', 'version_diff'
    FROM {streams} stream CROSS JOIN generate_series(1, %(each)s) AS batch
"""
COUNTERS = """
    INSERT INTO {counter} SELECT stream_key, %(each)s, now(), 'run_' || %(each)s, %(result)s FROM {streams}
"""
BUNDLE = "INSERT INTO dag_bundle (name, active) VALUES ('many', true) ON CONFLICT DO NOTHING"
DAGS = """
    INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, max_active_tasks, max_active_runs,
        max_consecutive_failed_dag_runs, has_task_concurrency_limits, exceeds_max_non_backfill, partition_mapper_info,
        next_dagrun_create_after)
    SELECT unnest(%s::text[]), false, false, 'many', '', 16, 1, 0, false, false, '[]', now() + interval '1 hour'
"""
RUNS = """
    INSERT INTO dag_run (dag_id, run_id, run_type, run_after, state, start_date, end_date, queued_at)
    SELECT dag_id, 'run_' || batch, 'scheduled', at, CASE batch %% 20 WHEN 0 THEN 'failed' ELSE 'success' END,
        at, at + interval '9 seconds', at
    FROM unnest(%s::text[]) AS dag_id CROSS JOIN generate_series(1, %s) AS batch,
        LATERAL (SELECT now() - (%s - batch) * interval '15 minutes' - interval '10 seconds') AS moment (at)
"""


def fill_with_many(world: World, streams: int, batches: int) -> None:
    """So many in all, half of them on each platform."""
    dag_ids: list[str] = []
    each, of_platform = batches // streams, streams // len(PLATFORMS)
    for platform in PLATFORMS:
        keys = [f"Store{number}" for number in range(of_platform)]
        _rows(world, platform, keys)
        world.create_batch_tables(platform)
        _batches(world, platform, each)
        dag_ids += [names.dag_id(names.platform_name(platform), key) for key in keys]
    world.grant()
    world.real.query(BUNDLE)
    world.real.query(DAGS, dag_ids)
    world.real.query(RUNS, dag_ids, each, each)
    for dsn in (world.merge_dsn, world.real.dsn):
        with closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            connection.cursor().execute("VACUUM ANALYZE")


def _rows(world: World, platform: str, keys: list[str]) -> None:
    texts = [(key, json.dumps(config(platform, key, latency_seconds=3600, schedule="*/15 * * * *"))) for key in keys]
    changes = [RowChange(key, text, "active", "create") for key, text in texts]
    with closing(psycopg2.connect(world.merge_dsn)) as connection, connection:
        name = names.platform_name(platform)
        table = StreamTable(ControlSession(connection, name))
        table.create_tables()
        table.write(changes, changed_by="bench", model_commit="c" * 40)


def _batches(world: World, platform: str, each: int) -> None:
    name = names.platform_name(platform)
    datasets = {
        key: DatasetResult(Counts(3, 1, 0, 996, 1000), "version_diff", "") for key in ("customers", "addresses")
    }
    result = MergeResult(ResultCode.DONE, "run", platform, "Store1", 1, 1, datasets=datasets).to_dict()
    tables = {
        "metrics": names.batch_metrics_table(name),
        "counter": names.batch_counter_table(name),
        "streams": names.stream_table(name),
    }
    parts = {key: sql.Identifier(table) for key, table in tables.items()}
    values = {"each": each, "state": json.dumps(STATE), "result": json.dumps(result)}
    with closing(psycopg2.connect(world.merge_dsn)) as connection, connection, connection.cursor() as cursor:
        for statement in (BATCHES, COUNTERS):
            cursor.execute(sql.SQL(statement).format(**parts), values)
