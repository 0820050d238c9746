"""A producer on PostgreSQL: its tables are locked against rewrites, then read in one REPEATABLE READ snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any, BinaryIO

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from config_schema.errors import StreamFactoryError
from config_schema.model import Dataset
from config_schema.model.sql_types import with_schema
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database.session import NAMES, SEPARATOR, Names, SessionSide
from merge_jobs.database.together import Lookup, Rows, in_step
from merge_jobs.database_errors import source_connect_failed, source_failed
from merge_jobs.errors import ConnectFailed, DatabaseFailed, SourceTableMissing
from merge_jobs.sources import Since, SourceColumn, SourcePart
from merge_jobs.sources.postgres.conversions import checked_column, converted
from merge_jobs.sql import Query, composed, execute

COMPUTES = "Correct the view, the function or the generated column at the source, or the rows that it computes from"
# By SQLSTATE or its class: what to do about an error of a batch's read. None of these is worth a retry.
OF_VIEWS = {
    "22": COMPUTES,
    "25006": "A view calls a function that writes, which a batch's read-only transaction refuses: read another view",
    "38": COMPUTES,
    "39": COMPUTES,
    "42": "Grant the right to the job's user, or correct the view, which refers to what is not there",
    "42501": "Grant the job's user the right to read it, and all that a view's functions read",
    "55000": "Run REFRESH MATERIALIZED VIEW at the source, once: it was created WITH NO DATA",
    "P0": COMPUTES,
    "XX": "The server found damage, or failed: see its log, and have the table checked",
}
LOCK_SECONDS = 10
TRIES = 5  # for a snapshot that is not older than the last rewrite of a table
# By which names a statement is read: one that runs a producer's code by the role's, so that its functions find what
# they find for others. Each statement says it, in the same message: what was set before does not matter.
READ_BY = {
    "postgres_source.hold_table": Names.OF_ROLE,
    "postgres_source.read_nothing": Names.OF_ROLE,
    "postgres_source.count_misfits": Names.OF_ROLE,
    "postgres_source.columns": Names.SEEN_BY_ROLE,
    "postgres_source.types_known": Names.SEEN_BY_ROLE,
    "guard.columns": Names.SEEN_BY_ROLE,
}


class Hold(Enum):
    """How a table is kept from being rewritten after the snapshot."""

    LOCK = "by LOCK TABLE, before the snapshot"
    READ = "by a query that reads nothing, after it: what may not be locked, or has a right on columns only"
    NOT = "not at all: rows of a foreign table are elsewhere"


class SourceUnsettled(StreamFactoryError):
    """A table of the source was truncated or rewritten again and again while it was read.

    Try again when that has ended.
    """

    code = "DF5106"
    retryable = True

    def __init__(self, where: str) -> None:
        super().__init__(where, "a table was truncated or rewritten while it was looked at, each time", "Try again")


class PostgresSource:
    """One session on a producer's PostgreSQL; see Source."""

    def __init__(self, place: ConnectionInfo, application_name: str, lock_seconds: int = LOCK_SECONDS) -> None:
        self.place = place
        self.where = f"source {place}"
        self._title, self._lock_seconds = application_name, lock_seconds
        self.snapshot: tuple[str, str] | None = None  # of a session beside another: what it reads, as the server says
        self._columns: dict[str, Mapping[str, SourceColumn]] = {}  # by table, in the snapshot
        self._held: list[tuple[Dataset, Hold]] | None = None  # for the next snapshot
        try:
            self._session = connect(place, application_name, self.where, lock_seconds, SessionSide.PRODUCER)
        except ConnectFailed as error:
            raise source_connect_failed(error) from None

    def begin(self, datasets: Sequence[Dataset]) -> datetime:
        """Take one snapshot of all datasets, with their tables protected from rewrites, and return its time.

        Raises SourceMismatch if a table is missing, SourceUnsettled if tables are rewritten meanwhile, each time.
        """
        with self._translate_errors():
            self._columns.clear()
            held, self._held = self._held, None
            if held is None or [of for of, _ in held[: len(datasets)]] != list(datasets):
                (held,) = in_step([self.finding_holds(datasets)], self.together)
            for _ in range(TRIES):
                if taken := self._take_snapshot(held):
                    return taken
        raise SourceUnsettled(self.where)

    def export_snapshot(self) -> tuple[str, tuple[str, str]]:
        """Return the name by which other sessions get this snapshot while it lasts, and what it is; see `beside`.

        The server refuses it once something was copied out, which leaves a savepoint.
        """
        ((name,),), (snapshot,) = self.together([Query("load.export_snapshot"), Query("load.snapshot")])
        return name, tuple(snapshot)

    def beside(self, snapshot: str, datasets: Sequence[Dataset]) -> PostgresSource:
        """Return another session on the source, in the snapshot that this one has exported. Raises StreamFactoryError.

        It locks tables that this one has locked: it would else wait, when it reads them, behind whoever waits for this
        one. `snapshot` of the other says what it reads.
        """
        other = PostgresSource(self.place, self._title, self._lock_seconds)
        tables = {"tables": sql.SQL(", ").join(map(self.table, datasets))}
        try:
            with other._translate_errors():
                other._session.begin_snapshot(
                    composed("load.import_snapshot", {"snapshot": sql.Literal(snapshot)}, {}),
                    composed("postgres_source.lock_tables", tables, {}),
                )
                ((began, seen),) = other.together([Query("load.snapshot")])[0]
        except StreamFactoryError:
            other.close()
            raise
        other.snapshot, other._columns = (began, seen), self._columns
        return other

    def finding_holds(self, datasets: Sequence[Dataset]) -> Lookup[list[tuple[Dataset, Hold]]]:
        """Look how each table is held, which `begin` then need not do.

        It is twice for a view that reads a materialized one, which its lock does not hold. Raises SourceMismatch if a
        table does not exist.
        """
        values = {"schema": self.place.schema, "tables": [dataset.source_table for dataset in datasets]}
        materialized, *relations = yield [
            Query("postgres_source.made_of_materialized_views", values),
            *(Query("postgres_source.relation", self.named(dataset)) for dataset in datasets),
        ]
        held = [(of, self._hold(of, found)) for of, found in zip(datasets, relations, strict=True)]
        self._held = held + [(of, Hold.READ) for of in datasets if (of.source_table,) in materialized]
        return self._held

    def _take_snapshot(self, held: Sequence[tuple[Dataset, Hold]]) -> datetime | None:
        """Return the snapshot's time; None if a table that was locked after the snapshot was rewritten meanwhile."""
        locked = [self.table(dataset) for dataset, how in held if how is Hold.LOCK]
        tables = {"tables": sql.SQL(", ").join(locked)}
        taken = self._session.begin_snapshot(
            *([composed("postgres_source.lock_tables", tables, {})] if locked else []),
        )
        read = [dataset for dataset, how in held if how is Hold.READ]
        if not read:
            return taken
        for dataset in read:
            self._hold_by_reading(dataset)
        ((rewritten,),) = self._rows("rewritten")
        return None if rewritten else taken

    def _hold_by_reading(self, dataset: Dataset) -> None:
        """Raise the error of a view that cannot be read, as a read of its rows would."""
        with self._errors_of_view(dataset):
            self._run("hold_table", table=self.table(dataset))

    def try_read(self, dataset: Dataset) -> None:
        """Run the query for the dataset's columns so that it reads no row. Raises what a read of its rows would."""
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in dataset.columns)
        with self._errors_of_view(dataset):
            self._run("read_nothing", columns=columns, table=self.table(dataset))

    @contextlib.contextmanager
    def _errors_of_view(self, dataset: Dataset) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            where = f"{self.where}: dataset {dataset.name}"
            raise of_view(source_failed(error, where), where) from None

    def check_snapshot(self) -> None:
        """Raise PoolingRefused if what was read was not read in one transaction, or SettingRefused."""
        with self._translate_errors():
            self._session.check()

    @property
    def encoding(self) -> str | None:
        """The encoding of the database."""
        return self._session.info.parameter_status("server_encoding")

    def columns(self, dataset: Dataset) -> Mapping[str, SourceColumn]:
        """Return the columns of the dataset's table, as they are in the snapshot."""
        if dataset.source_table not in self._columns:
            self.know_columns(dataset, self.rows("postgres_source.columns", self.named(dataset)))
        return self._columns[dataset.source_table]

    def know_columns(self, dataset: Dataset, rows: Rows) -> None:
        """Remember the rows of postgres_source.columns as long as the snapshot stands."""
        self._columns[dataset.source_table] = {name: SourceColumn(kind, portable) for name, kind, portable in rows}

    def estimated_rows(self, dataset: Dataset) -> int | None:
        """Return the planner's estimate of the dataset's rows; None if it has none."""
        with self._translate_errors():
            ((estimate,),) = self._rows("estimated_rows", self.named(dataset))
        return None if estimate is None else int(estimate)

    def copy_out(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        binary: bool,
        into: BinaryIO,
        part: SourcePart | Since = SourcePart.ROWS,
    ) -> int:
        """Write the dataset's rows, or a part of them, to `into` in COPY's format, and return how many."""
        parts: dict[str, sql.Composable] = {
            "columns": self.selected(dataset, types),
            "table": self.table(dataset),
            "format": sql.SQL("binary" if binary else "text"),
        }
        if isinstance(part, Since):
            return self.copy_query(composed("postgres_source.copy_since", {**parts, **since_parts(part)}, {}), into)
        name = "postgres_source.copy_out" if part is SourcePart.ROWS else "postgres_source.copy_keys"
        return self.copy_query(composed(name, parts, {}), into)

    def selected(self, dataset: Dataset, types: Mapping[str, str]) -> sql.Composable:
        """Return the expressions to select for columns of these types: an error where a type would change the value."""
        columns = self.columns(dataset)
        checked = self.converted(dataset, types)
        return sql.SQL(", ").join(
            checked_column(name, columns[name].type, checked[name]) if name in checked else sql.Identifier(name)
            for name in (column.name for column in dataset.columns)
        )

    def converted(self, dataset: Dataset, types: Mapping[str, str]) -> dict[str, str]:
        """Return the columns with values that the type may not contain, without the merge store's own types."""
        found = converted(self.columns(dataset), types, [column.name for column in dataset.columns])
        return self.known_types(found)

    def known_types(self, types: Mapping[str, str]) -> dict[str, str]:
        """Return the columns with a type that the source has too."""
        if not types:
            return {}
        values = {"names": list(types), "types": list(types.values())}
        known = dict(self.rows("postgres_source.types_known", values))
        return {name: kind for name, kind in types.items() if known[name]}

    @property
    def pooled(self) -> bool:
        """Whether something between us and the server keeps server processes for many clients."""
        return self._session.pooled

    @property
    def version(self) -> int:
        """The server's version: 150004 is 15.4."""
        return self._session.server_version

    def begin_anew(self) -> None:
        """End the snapshot, also after an error; the next query gets a new one, with the same settings."""
        self._columns.clear()
        with self._translate_errors():
            self._session.rollback()

    def copy_query(self, statement: sql.Composable, into: BinaryIO, names: Names = Names.OF_ROLE) -> int:
        """Write the output of the statement COPY ... TO STDOUT; return the number of rows.

        `names` says how its names are resolved: by the role's search_path if columns of views or types of the
        producer are read. Locks that only this statement needs, on indexes and long values, are released: a
        stream may have many tables. Not on a standby: in a subtransaction its recovery would end the session
        instead of cancelling the statement.
        """
        gives_back = self._session.get_parameter_status("in_hot_standby") != "on"
        before = [composed("postgres_source.before_a_copy", {}, {})] if gives_back else []
        with self._translate_errors(), self._session.cursor() as cursor:
            cursor.copy_expert(SEPARATOR.join([NAMES[names], *before, statement]), into)
            rows = cursor.rowcount
            if gives_back:
                self._session.later(Query("postgres_source.after_a_copy"))
            return rows

    def rows(
        self, name: str, values: Mapping[str, Any] | None = None, parts: Mapping[str, sql.Composable] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of the statement `file.name` in the snapshot."""
        with self._translate_errors():
            return self._executed(name, values or {}, parts or {}).fetchall()

    def together(self, queries: Sequence[Query]) -> list[Rows]:
        """Return the rows of each of the queries, which are sent in one message, or two; times are texts."""
        found: dict[int, Rows] = {}
        with self._translate_errors():
            for names in Names:
                numbers = [number for number, query in enumerate(queries) if _names_of(query.name) is names]
                if numbers:
                    rows = self._session.together([queries[number] for number in numbers], names)
                    found.update(zip(numbers, rows, strict=True))
        return [found[number] for number in range(len(queries))]

    def rollback(self) -> None:
        """End the transaction, and with it the snapshot."""
        self._held = None
        with self._translate_errors():
            self._session.rollback()

    def cancel(self) -> None:
        """Cancel what runs, from another thread."""
        with contextlib.suppress(psycopg2.Error):
            self._session.cancel()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def __enter__(self) -> PostgresSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _hold(self, dataset: Dataset, found: Rows) -> Hold:
        """Return how the dataset's table can be held. Raises SourceMismatch if it does not exist."""
        if found:
            (kind, may_read) = found[0]
            if kind == "f":
                return Hold.NOT
            return Hold.LOCK if may_read and kind != "m" else Hold.READ
        known = [name for (name,) in self._rows("relations", {"schema": self.place.schema})]
        where = f"{self.where}: dataset {dataset.name}"
        raise SourceTableMissing(where, dataset.source_table, known, self.place.schema)

    def named(self, dataset: Dataset) -> dict[str, Any]:
        """Return the schema and the name of the dataset's table, as values of a statement."""
        return {"schema": self.place.schema, "table": dataset.source_table}

    def table(self, dataset: Dataset) -> sql.Identifier:
        """Return the dataset's table, with its schema."""
        return sql.Identifier(self.place.schema, dataset.source_table)

    def _rows(self, name: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._run(name, values).fetchall()

    def _run(self, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable) -> Cursor:
        return self._executed(f"postgres_source.{name}", values or {}, parts)

    def _executed(self, name: str, values: Mapping[str, Any], parts: Mapping[str, sql.Composable]) -> Cursor:
        cursor = self._session.cursor()
        execute(cursor, name, parts, values, before=NAMES[_names_of(name)])
        return cursor

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            raise source_failed(error, self.where) from None


def _written(_: str, value: str | None) -> sql.Composable:
    return sql.Literal(value)


def since_parts(
    since: Since, write: Callable[[str, str | None], sql.Composable] = _written
) -> dict[str, sql.Composable]:
    """Return the placeholders of copy_since: a column is compared as it is, so that an index helps."""
    column, kind = sql.Identifier(since.column), sql.SQL(with_schema(since.kind))
    ties: sql.Composable = sql.SQL("")
    if since.tie_breaker is not None:
        ties = sql.SQL(
            " AND ({c} OPERATOR(pg_catalog.<>) {last}::{kind} OR {t} IS NULL"
            " OR {t} OPERATOR(pg_catalog.>=) {tie}::bigint)"
        ).format(
            c=column,
            kind=kind,
            last=write("last", since.last),
            t=sql.Identifier(since.tie_breaker),
            tie=write("tie", since.tie),
        )
    at_least = sql.SQL("{}::{}").format(write("cursor", since.at_least), kind)
    return {"cursor": column, "at_least": at_least, "without_ties": ties}


def _names_of(name: str) -> Names:
    return READ_BY.get(name, Names.OF_POSTGRESQL)


def of_view(error: DatabaseFailed, where: str) -> DatabaseFailed:
    """Return the error with the place `where` and the advice for a view; only an unlisted error may be retryable."""
    state = error.sqlstate or ""
    todo = OF_VIEWS.get(state) or OF_VIEWS.get(state[:2])
    retryable = error.retryable and todo is None
    translate_db_errors = DatabaseFailed(
        where, error.what, todo or error.todo, retryable=retryable, sqlstate=error.sqlstate
    )
    translate_db_errors.said = error.said
    return translate_db_errors
