"""A producer that is not PostgreSQL, through its SQLAlchemy dialect: streamed, in constant memory.

What one snapshot can be differs by database, so it is said here, dialect by dialect.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from config_schema.errors import StreamFactoryError, choose_from
from config_schema.model import Database, Dataset, SourceKind
from merge_jobs import ending
from merge_jobs.database import CONNECT_SECONDS, Place
from merge_jobs.errors import ConnectFailed, DatabaseFailed, SourceMismatch
from merge_jobs.sources import SourceColumn
from merge_jobs.sources.column_types import postgres_type
from merge_jobs.sources.copy_text import copy_line

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 2000
DEFAULT_SCHEMA = "public"  # the model's default, which is PostgreSQL's; elsewhere it means the database's own


@dataclass(frozen=True)
class Dialect:
    """A kind of database: its driver, how a snapshot is taken, and whether that holds for several tables."""

    driver: str
    snapshot: tuple[str, ...]
    of_all_tables: bool
    tested: bool = True


DIALECTS: dict[SourceKind, Dialect] = {
    # InnoDB: one snapshot for all tables. Other engines have none, and are refused.
    SourceKind.MYSQL: Dialect(
        "mysql+pymysql",
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET SESSION time_zone = '+00:00'",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ),
        of_all_tables=True,
    ),
    # A deferred transaction is a snapshot of the whole file from its first read on.
    SourceKind.SQLITE: Dialect("sqlite", ("BEGIN", "SELECT count(*) FROM sqlite_master"), of_all_tables=True),
    # SNAPSHOT isolation spans tables, where the database allows it.
    SourceKind.MSSQL: Dialect(
        "mssql+pyodbc", ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT",), of_all_tables=True, tested=False
    ),
    # A read-only transaction sees all tables as they were at its beginning.
    SourceKind.ORACLE: Dialect("oracle+oracledb", ("SET TRANSACTION READ ONLY",), of_all_tables=True, tested=False),
}

# Codes of the drivers' errors at connecting: what it means, and whether a retry can help.
CONNECTING = {
    1045: ("wrong user name or password", False),
    1044: ("the user may not use the database", False),
    1049: ("the database does not exist", False),
    1040: ("all connections are taken", True),
}


class SqlAlchemySource:
    """One session on a producer's database; see Source."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.where = f"source {place}"
        self._dialect = DIALECTS[place.kind]
        if not self._dialect.tested:
            log.warning("%s: %s as a source is untested", self.where, place.kind.value)
        self._engine = source_engine(place, self.where)
        self._session = self._connected()

    def begin(self, datasets: Sequence[Dataset]) -> datetime:
        if len(datasets) > 1 and not self._dialect.of_all_tables:
            raise SourceMismatch(
                self.where,
                f"{self.place.kind.value} has no one snapshot of several tables",
                "Make the datastore single_dataset",
            )
        with self._worded():
            self._check_tables(datasets)
            self._session.rollback()
            for statement in self._dialect.snapshot:
                self._session.exec_driver_sql(statement)
        return datetime.now(UTC)

    def columns(self, dataset: Dataset) -> Mapping[str, SourceColumn]:
        with self._worded():
            found = sa.inspect(self._session).get_columns(dataset.source_table, schema=self._schema)
        kind = self.place.kind
        return {column["name"]: SourceColumn(postgres_type(column["type"], kind), portable=False) for column in found}

    def estimated_rows(self, dataset: Dataset) -> int | None:
        return None

    def copy_out(self, dataset: Dataset, binary: bool, into: BinaryIO) -> int:
        assert not binary, "only PostgreSQL has PostgreSQL's binary format"
        statement = _select(dataset, self._schema)
        rows = 0
        with self._worded():
            streamed = self._session.execution_options(stream_results=True, max_row_buffer=ROWS_AT_ONCE)
            for part in streamed.execute(statement).partitions(ROWS_AT_ONCE):
                into.write("".join(map(self._line(dataset), part)).encode())
                rows += len(part)
                ending.check()  # its driver cannot be told to stop from another thread
        return rows

    def cancel(self) -> None:
        # Reading stops at the next write: the pipe has lost its reader by then.
        return

    def close(self) -> None:
        with contextlib.suppress(SQLAlchemyError):
            self._session.close()
        self._engine.dispose()

    def __enter__(self) -> SqlAlchemySource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def _schema(self) -> str | None:
        return inspected_schema(self.place)

    def _connected(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            self._engine.dispose()
            what, retryable = CONNECTING.get(_code(error) or 0, ("no connection came about", True))
            todo = "Check that the server is up, and user, password and database"
            raise ConnectFailed(self.where, what, todo, retryable=retryable, sqlstate=None) from None

    def _check_tables(self, datasets: Sequence[Dataset]) -> None:
        inspector = sa.inspect(self._session)
        known = {*inspector.get_table_names(schema=self._schema), *inspector.get_view_names(schema=self._schema)}
        for dataset in datasets:
            if dataset.source_table not in known:
                what = f"there is no table {dataset.source_table!r}"
                raise SourceMismatch(
                    f"{self.where}: dataset {dataset.name}", what, choose_from(dataset.source_table, known)
                )
            if self.place.kind is SourceKind.MYSQL:
                engine = inspector.get_table_options(dataset.source_table, schema=self._schema).get("mysql_engine")
                if engine not in (None, "InnoDB"):
                    what = f"its engine {engine} knows no snapshot"
                    raise SourceMismatch(f"{self.where}: dataset {dataset.name}", what, "Convert it to InnoDB")

    def _line(self, dataset: Dataset) -> Callable[[Sequence[object]], str]:
        def line(row: Sequence[object]) -> str:
            try:
                return copy_line(row)
            except (TypeError, ValueError) as error:
                what = f"there is {error}, which a PostgreSQL table cannot hold"
                todo = "Leave the column out of the model, or mend the values"
                raise SourceMismatch(f"{self.where}: dataset {dataset.name}", what, todo) from None

        return line

    @contextlib.contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            what = "the connection was lost" if lost else f"{type(error).__name__}, code {_code(error)}"
            todo = "Check server and network, and try again" if lost else "See the log of the database server"
            raise DatabaseFailed(self.where, what, todo, retryable=lost, sqlstate=None) from None


def select_text(of: Database, dataset: Dataset) -> str:
    """The statement that reads a dataset, in the dialect of its database; needs no driver."""
    dialect = URL.create(DIALECTS[of.kind].driver).get_dialect()()
    return str(_select(dataset, inspected_schema(of)).compile(dialect=dialect))


def _select(dataset: Dataset, schema: str | None) -> sa.Select[*tuple[Any, ...]]:
    # Columns without a type, so that the driver's own values come: no converting there and back.
    wanted: list[sa.ColumnClause[object]] = [sa.column(column.name) for column in dataset.columns]
    return sa.select(*wanted).select_from(sa.table(dataset.source_table, schema=schema))


def inspected_schema(of: Place | Database) -> str | None:
    """The schema as SQLAlchemy takes it: None is the database's own, and PostgreSQL's is always named."""
    return None if of.schema == DEFAULT_SCHEMA and of.kind is not SourceKind.POSTGRESQL else of.schema


def source_engine(place: Place, where: str) -> sa.Engine:
    """An engine for a place that is not on PostgreSQL. Raises StreamFactoryError if its driver is not installed."""
    if place.kind is SourceKind.SQLITE:
        # Read-only, so that a wrong path is an error and not a new, empty database.
        address = URL.create("sqlite", database=f"file:{place.database}", query={"mode": "ro", "uri": "true"})
        # The driver's own BEGIN comes only before a write: ours is to open the snapshot.
        arguments: dict[str, object] = {"isolation_level": None, "check_same_thread": False}
    else:
        address = URL.create(
            DIALECTS[place.kind].driver,
            place.user,
            place.password,
            place.host,
            port=place.port,
            database=place.database,
        )
        arguments = {"connect_timeout": CONNECT_SECONDS} if place.kind is SourceKind.MYSQL else {}
    try:
        return sa.create_engine(address, poolclass=NullPool, connect_args=arguments)
    except ModuleNotFoundError as error:
        what = f"the driver {error.name} for {place.kind.value} is not installed"
        todo = f"Install airflow-stream-factory[{place.kind.value}], or that driver, into the merge-job image"
        raise StreamFactoryError(where, what, todo) from None


def _code(error: SQLAlchemyError) -> int | None:
    """The driver's number of an error; its text may hold values."""
    arguments = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
