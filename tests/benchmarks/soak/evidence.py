"""Reads what the judge needs, by plain SELECTs: source, merge tables, consumers' views, batches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from airflow_plugin.demo.consumer import CONSUMER
from airflow_plugin.demo.databases import Databases
from airflow_plugin.demo.rounds import PLATFORMS, STORE, DemoPlatform
from airflow_plugin.demo.truth import TABLES, Row, source_rows
from config_schema import names
from tests.benchmarks.product.installation import MERGE_STORE, Installation
from tests.benchmarks.soak.history import History, State, digest
from tests.benchmarks.soak.judge import Batch, Evidence, Look, Version

LIVE, FORENSIC = PLATFORMS
LOOK_SECONDS = 0.5

BATCHES = """
    SELECT batch_id, source_snapshot_time, batch_end_time, records_inserted, records_updated, records_deleted,
        total_records, strategy
    FROM {} WHERE key = %s AND batch_status = 'committed' ORDER BY batch_id
"""


def read_evidence(made: Installation, history: History, looks: Sequence[Look]) -> Evidence:
    """Everything as it is now; nothing may be changing."""
    views = {(of, table): made.view(of, table) for of in PLATFORMS for table in TABLES}
    with closing(made.producer()) as producer:
        source = source_state(producer)
    with closing(made.databases.connect(MERGE_STORE)) as store:
        current = {"the live merge tables": _live(store)}
        versions = {table: _versions(store, table) for table in TABLES}
        batches = list(_batches(store, FORENSIC))
    with closing(as_consumer(made.databases)) as consumer:
        for platform in PLATFORMS:
            of_platform = {table: views[platform, table] for table in TABLES}
            current[f"the consumer's views of {platform.original}"] = _viewed(consumer, of_platform)
    return Evidence(history, source, current, versions, batches, list(looks))


def source_state(producer: Connection) -> State:
    """The producer's tables."""
    return {table: dict(source_rows(producer, table)) for table in TABLES}


def as_consumer(databases: Databases) -> Connection:
    """A session of the consumer, each transaction of which sees one snapshot."""
    session = psycopg2.connect(databases.dsn(MERGE_STORE, CONSUMER))
    session.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    return session


@dataclass
class Watching:
    """A consumer who looks at the live views again and again, through lost connections."""

    made: Installation
    looks: list[Look] = field(default_factory=list)

    def run_until(self, stop: Event) -> None:
        views = {table: self.made.view(LIVE, table) for table in TABLES}
        while not stop.wait(LOOK_SECONDS):
            try:
                with closing(as_consumer(self.made.databases)) as session:
                    while not stop.wait(LOOK_SECONDS):
                        began = time.time()
                        seen = digest(_viewed(session, views))
                        self.looks.append(Look(began, time.time(), seen))
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                continue  # the database was killed


def _viewed(session: Connection, views: dict[str, sql.Identifier]) -> State:
    """Both views in one transaction."""
    with session, session.cursor() as cursor:
        found: State = {}
        for table, view in views.items():
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(_columns(table), view))
            found[table] = _by_key(cursor.fetchall())
        return found


def _live(store: Connection) -> State:
    return {table: _by_key(_rows(store, LIVE.table(table), table)) for table in TABLES}


def _versions(store: Connection, table: str) -> list[Version]:
    rows = _rows(store, FORENSIC.table(table), table, "ds_batch_in", "ds_batch_out")
    return [(row[:-2], *row[-2:]) for row in rows]


def _batches(store: Connection, platform: DemoPlatform) -> Iterator[Batch]:
    table = sql.Identifier("public", names.batch_metrics_table(platform.name))
    with store, store.cursor() as cursor:
        cursor.execute(sql.SQL(BATCHES).format(table), (STORE,))
        for number, taken, ended, *counts, strategy in cursor.fetchall():
            inserted, updated, deleted, total = map(int, counts)
            yield Batch(number, taken, ended, (inserted, updated, deleted, total), strategy)


def _rows(store: Connection, name: str, table: str, *more: str) -> list[Row]:
    with store, store.cursor() as cursor:
        query = sql.SQL("SELECT {} FROM {}").format(_columns(table, *more), sql.Identifier("public", name))
        cursor.execute(query)
        return cursor.fetchall()


def _columns(table: str, *more: str) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, (*TABLES[table], *more)))


def _by_key(rows: Sequence[Row]) -> dict[str, Row]:
    """By key; a key that is given twice is reported by a row more."""
    found: dict[str, Row] = {}
    for row in rows:
        found[row[0] if row[0] not in found else f"{row[0]}, once more"] = row
    return found
