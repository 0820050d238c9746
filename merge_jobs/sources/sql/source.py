"""A producer that is not PostgreSQL, through its SQLAlchemy dialect: streamed, in constant memory.

dialects.py has the differences between databases, driver_errors.py the meaning of their errors, values/ writes values.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from config_schema.connect_wait import first_connections
from config_schema.errors import StreamFactoryError
from config_schema.model import DEFAULT_SCHEMA, Database, Dataset, SourceKind
from config_schema.model.sql_types import long_name
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.errors import (
    ConnectFailed,
    DatabaseFailed,
    SettingRefused,
    SourceMismatch,
    SourceTableMissing,
    values_rejected,
)
from merge_jobs.misfit import INVALID_UTF8, Encoder, Reason
from merge_jobs.process import shutdown
from merge_jobs.sources import Hashing, Since, SourceColumn, SourcePart
from merge_jobs.sources.sql.column_types import postgres_type
from merge_jobs.sources.sql.dialects import DIALECTS
from merge_jobs.sources.sql.driver_errors import error_code, meaning
from merge_jobs.sources.sql.engine import source_engine, take_snapshot
from merge_jobs.sources.sql.mysql_lines import HASHING, TAB, RowLines, hash_of, hash_of_line, key_literal, quoted
from merge_jobs.sources.sql.reflection import mysql_engine, reflected_columns, selectable_tables
from merge_jobs.sources.sql.since import condition
from merge_jobs.sources.sql.tls import connecting_failed
from merge_jobs.sources.values.encoders import bits, encoder, single_precision
from merge_jobs.sources.values.row_writer import RowWriter

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 2000
LONG_ROWS_AT_ONCE = 64  # where a value can have any length: all of them are in memory
MOST_NAMED = 3  # columns in a reason
LONG = ("TEXT", "BLOB", "CLOB", "JSON", "MAX", "LONG", "XML", "IMAGE", "NULL")
# What MySQL warns of where it gives another value: GROUP_CONCAT was cut, a result was too large, text was not valid.
CUT_BY_SERVER = frozenset([1260, 1301, 1300, 1366])
# Types of 32 bits that their drivers give as 64.
SINGLE_PRECISION = (mysql.FLOAT, mssql.REAL, oracle.BINARY_FLOAT)


class NoSnapshot(SourceMismatch):
    """The source cannot give one snapshot of the tables: its kind of database, or a table's engine, has none.

    Make the datastore single_dataset, or convert the table to an engine that has snapshots (InnoDB).
    """

    code = "DF5104"


class ValuesCut(SourceMismatch):
    """The source's server cuts values, or returns NULL for values that are too long.

    Raise max_allowed_packet and group_concat_max_len on the server, or correct the view.
    """

    code = "DF5105"

    def __init__(self, where: str) -> None:
        what = "the server cut a value, or took NULL for one that is too long or has no such characters"
        todo = "Raise max_allowed_packet and group_concat_max_len on the server, or correct the view"
        super().__init__(where, what, todo)


class RowsDiffer(SourceMismatch):
    """A view of the source gives other rows when it is read again in the same snapshot.

    Leave columns out that functions such as RAND() compute, or read a table in the place of the view.
    """

    code = "DF5140"
    retryable = True

    def __init__(self, where: str, before: int, now: int) -> None:
        self.before, self.now = before, now
        what = f"{before} rows were to be read a second time, and {now} came"
        todo = "Leave columns out that functions such as RAND() compute, or read a table in the place of the view"
        super().__init__(where, what, todo)


class SqlAlchemySource:
    """One session on a producer's database; see Source."""

    def __init__(self, place: ConnectionInfo) -> None:
        self.place = place
        self.where = f"source {place}"
        self._dialect = DIALECTS[place.kind]
        if not self._dialect.tested:
            log.warning("%s: %s as a source is untested", self.where, place.kind.value)
        self._engine = source_engine(place, self.where)
        self._session = self._connected()
        self._types: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {}  # by dataset and column
        self._settings: Mapping[str, Any] = {}

    def begin(self, datasets: Sequence[Dataset]) -> datetime:
        """Check the datasets' tables, take one snapshot, and return its time.

        Raises NoSnapshot if the database has no one snapshot of several tables, SourceMismatch if a table is missing.
        """
        if len(datasets) > 1 and not self._dialect.of_all_tables:
            raise NoSnapshot(
                self.where,
                f"{self.place.kind.value} has no one snapshot of several tables",
                "Make the datastore single_dataset",
            )
        with self._translate_errors():
            known = self._known_tables()
        for dataset in datasets:
            with self._translate_errors(dataset):
                self._check_table(dataset, known)
        with self._translate_errors():
            self._session.rollback()
            take_snapshot(self._session, self.place, self.where)
            self._settings = self._settings_now()
        return datetime.now(UTC)

    def columns(self, dataset: Dataset) -> Mapping[str, SourceColumn]:
        """Return the columns of the dataset's table, as they are in the snapshot."""
        kind = self.place.kind
        return {name: SourceColumn(postgres_type(of, kind), portable=False) for name, of in self._types_of(dataset)}

    def try_read(self, dataset: Dataset) -> None:
        """Run the query for the dataset's columns so that it reads no row. Raises what a read of its rows would."""
        with self._translate_errors(dataset):
            self._session.execute(_select(dataset, self._schema).where(sa.false())).all()

    def estimated_rows(self, dataset: Dataset) -> int | None:
        """Return None: these databases cannot say without counting."""
        return None

    def copy_out(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        binary: bool,
        into: BinaryIO,
        part: SourcePart | Since = SourcePart.ROWS,
    ) -> int:
        """Write the dataset's rows, or a part of them, to `into` in COPY's text format, and return how many."""
        assert not binary, "only PostgreSQL has PostgreSQL's binary format"
        lines = self._lines(dataset, types)
        if lines is None:
            return self._write_rows(dataset, types, into, part)
        line: sa.ColumnElement[Any] = sa.literal_column(lines.line)
        rows, judged = self._write_lines(dataset, self._query(dataset, part, [line]), into)
        return rows + self._judge(dataset, types, into, part, line, judged)

    def hashing(self, dataset: Dataset) -> Hashing:
        """Return whether the server can hash the dataset's rows: MySQL can, if it can write each of their columns."""
        is_mysql = self.place.kind is SourceKind.MYSQL
        name = self._dialect.name
        no_hashes = self._no_lines(self._modelled_lines(dataset)) if is_mysql else f"{name} hashes no rows"
        native = [[name, repr(of)] for name, of in self._types_of(dataset)]
        facts = {"hashing": HASHING, "columns": native}
        return Hashing(facts, f"{name} has no row versions", no_hashes)

    def copy_hashes(self, dataset: Dataset, into: BinaryIO) -> tuple[int, int]:
        """Write a hash and the key of each row; return the number of rows, and of those that have no hash."""
        columns = {column.name: column for column in dataset.columns}
        key = replace(dataset, columns=tuple(columns[name] for name in dataset.primary_key))
        parts = [hash_of(self._modelled_lines(dataset).line), TAB, self._modelled_lines(key).line]
        line: sa.ColumnElement[Any] = sa.literal_column(f"CAST(CONCAT({', '.join(parts)}) AS BINARY)")
        return self._write_lines(dataset, _select(dataset, self._schema, [line]), into)

    def copy_rows_and_hashes(self, dataset: Dataset, types: Mapping[str, str], into: BinaryIO) -> int:
        """Write each row with its hash behind it, 0 if it has none; return the number of rows."""
        line: sa.ColumnElement[Any] = sa.literal_column(self._modelled_lines(dataset).line)
        query = _select(dataset, self._schema, [line])
        rows, judged = self._write_lines(dataset, query, into, lambda line: b"%b\t%d" % (line, hash_of_line(line)))
        return rows + self._judge(dataset, types, into, SourcePart.ROWS, line, judged, hashed=True)

    def copy_rows_of(
        self, dataset: Dataset, types: Mapping[str, str], wanted: Sequence[tuple[int, str | None]], into: BinaryIO
    ) -> int:
        """Write the rows of hashes, each with the first column of its key; return their number."""
        lines, rows = self._modelled_lines(dataset), 0
        name = dataset.primary_key[0]
        kind = next(long_name(column.type) for column in dataset.columns if column.name == name)
        known = [(str(number), key_literal(text, kind)) for number, text in wanted]
        for some in _within_bytes(known, self._settings["max_allowed_packet"] // 2):
            hashes, keys = zip(*some, strict=True)
            query = _select(dataset, self._schema, [sa.literal_column(lines.line)])
            if all(keys):  # the index leaves few rows to hash
                query = query.where(sa.literal_column(f"{quoted(name)} IN ({', '.join(keys)})"))
            query = query.where(sa.literal_column(f"{hash_of(lines.line)} IN ({', '.join(hashes)})"))
            rows += self._write_lines(dataset, query, into)[0]
        return rows

    def snapshot_may_not_cover(self, dataset: Dataset) -> bool:
        """Return whether the dataset is a view: its functions and tables may follow other transactions or none."""
        with self._translate_errors(dataset):
            return dataset.source_table in sa.inspect(self._session).get_view_names(schema=self._schema)

    def _write_lines(
        self,
        dataset: Dataset,
        query: sa.Select[*tuple[Any, ...]],
        into: BinaryIO,
        finished: Callable[[bytes], bytes] = bytes,
    ) -> tuple[int, int]:
        """Write the lines that the server gives; return their number, and the number of rows without one."""
        lines = without = 0
        for some in self._read(dataset, query):
            written = [finished(line) for (line,) in some if line is not None]
            into.write(b"".join([text for line in written for text in (line, b"\n")]))
            lines += len(written)
            without += len(some) - len(written)
            shutdown.check()  # its driver cannot be stopped from another thread
        return lines, without

    def _judge(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        into: BinaryIO,
        part: SourcePart | Since,
        line: sa.ColumnElement[Any],
        number: int,
        *,
        hashed: bool = False,
    ) -> int:
        """Write, by their values, the rows that the server gave no line for. Raises RowsDiffer or ValuesRejected."""
        if not number:
            return 0
        written = self._write_rows(dataset, types, into, part, (line.is_(None),), hashed=hashed)
        if written != number:
            raise RowsDiffer(self._where(dataset), number, written)
        return number

    def _write_rows(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        into: BinaryIO,
        part: SourcePart | Since,
        conditions: Sequence[sa.ColumnElement[bool]] = (),
        *,
        hashed: bool = False,
    ) -> int:
        """Write rows by their driver's values, and 0 behind them where hashes are; return their number.

        Raises ValuesRejected if a column cannot contain one of the values.
        """
        theirs = dict(self._types_of(dataset))
        columns = [column.name for column in dataset.columns]
        encoders = [_encoder(types[name], theirs[name]) for name in columns]
        wanted = _wanted(dataset, frozenset(name for name in columns if isinstance(theirs[name], mysql.FLOAT)))
        if hashed:
            columns, encoders, wanted = [*columns, ""], [*encoders, str], [*wanted, sa.literal_column("0")]
        writer, rows = RowWriter(columns, encoders), 0
        for some in self._read(dataset, self._query(dataset, part, wanted).where(*conditions)):
            into.write(writer.lines(some))
            rows += len(some)
            shutdown.check()  # its driver cannot be stopped from another thread
        if writer.misfits:
            raise values_rejected(self._where(dataset), dataset, writer.misfits)
        return rows

    def _lines(self, dataset: Dataset, types: Mapping[str, str]) -> RowLines | None:
        """Return how the server itself writes the rows; None if it cannot."""
        if self.place.kind is not SourceKind.MYSQL:
            return None
        theirs = dict(self._types_of(dataset))
        lines = RowLines.of([(column.name, theirs[column.name]) for column in dataset.columns], types)
        return lines if self._no_lines(lines) is None else None

    def _modelled_lines(self, dataset: Dataset) -> RowLines:
        """Return the lines for the types of the model, which a job knows before there is a table."""
        theirs = dict(self._types_of(dataset))
        known = [column for column in dataset.columns if column.name in theirs]  # a missing one is an error later
        return RowLines.of(
            [(column.name, theirs[column.name]) for column in known],
            {column.name: long_name(column.type) for column in known},
        )

    def _no_lines(self, lines: RowLines) -> str | None:
        """Return why the server cannot write the rows, or not surely within a packet; None if it can."""
        if lines.others:
            return f"its server cannot surely write {', '.join(lines.others[:MOST_NAMED])} as the model has it"
        if lines.most_bytes > self._settings["max_allowed_packet"]:
            return "its rows may be longer than max_allowed_packet"
        return None

    def _query(
        self, dataset: Dataset, part: SourcePart | Since, wanted: Sequence[sa.ColumnElement[Any]]
    ) -> sa.Select[*tuple[Any, ...]]:
        query = _select(dataset, self._schema, wanted)
        return query.where(condition(part, self.place.kind)) if isinstance(part, Since) else query

    def cancel(self) -> None:
        """Do nothing: reading stops at the next write, because the pipe has no reader any more."""

    def close(self) -> None:
        """Close the session, and the engine's connections."""
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

    def _where(self, dataset: Dataset | None) -> str:
        return self.where if dataset is None else f"{self.where}: dataset {dataset.name}"

    def _connected(self) -> sa.Connection:
        return first_connections.reach(f"{self.place.host}:{self.place.port}", self._connected_once)

    def _connected_once(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except StreamFactoryError:
            self._engine.dispose()
            raise
        except (
            Exception
        ) as error:  # the driver's own too: PyMySQL raises RuntimeError without its package for passwords
            self._engine.dispose()
            if failed := connecting_failed(error, self.where):
                raise failed from None
            what, todo, retryable = _no_connection(error, self.place.kind)
            raise ConnectFailed(self.where, what, todo, retryable=retryable, sqlstate=None) from None

    def _known_tables(self) -> set[str]:
        return selectable_tables(self._session, self.place.kind, self._schema)

    def _check_table(self, dataset: Dataset, known: set[str]) -> None:
        where = self._where(dataset)
        if dataset.source_table not in known:
            raise SourceTableMissing(where, dataset.source_table, known)
        if self.place.kind is SourceKind.MYSQL:
            engine = mysql_engine(self._session, dataset.source_table, self._schema)
            if engine not in (None, "InnoDB"):
                raise NoSnapshot(where, f"its engine {engine} knows no snapshot", "Convert it to InnoDB")

    def _types_of(self, dataset: Dataset) -> list[tuple[str, sa.types.TypeEngine[Any]]]:
        """Return the columns of the dataset's table with their types, read once."""
        if dataset.name not in self._types:
            with self._translate_errors(dataset):
                found = reflected_columns(self._session, self.place.kind, dataset.source_table, self._schema)
            self._types[dataset.name] = {column.name: column.type for column in found}
        return list(self._types[dataset.name].items())

    def _has_long_values(self, dataset: Dataset) -> bool:
        """Return whether a column of the dataset can have values of any length: in SQLite each can."""
        if self.place.kind is SourceKind.SQLITE:
            return True
        wanted = {column.name for column in dataset.columns}
        kinds = (repr(kind).upper() for name, kind in self._types_of(dataset) if name in wanted)
        return any(sign in kind for kind in kinds for sign in LONG)

    def _read(self, dataset: Dataset, statement: sa.Select[*tuple[Any, ...]]) -> Iterator[Sequence[sa.Row[Any]]]:
        """Yield the rows in parts. Raises errors for values that the driver cannot read, or that the server has cut."""
        with self._translate_errors(dataset):
            at_once = LONG_ROWS_AT_ONCE if self._has_long_values(dataset) else ROWS_AT_ONCE
            streamed = self._session.execution_options(stream_results=True, max_row_buffer=at_once, compiled_cache=None)
            parts = iter(streamed.execute(statement).partitions(at_once))
        while True:
            with self._translate_errors(dataset):
                part = next(parts, None)
            if part is None:
                break
            yield part
        if self.place.kind is SourceKind.MYSQL:
            with self._translate_errors(dataset):
                warned = {code for _, code, _ in self._session.exec_driver_sql("SHOW WARNINGS LIMIT 1000")}
            if warned & CUT_BY_SERVER:
                raise ValuesCut(self._where(dataset))
        with self._translate_errors(dataset):
            self._check_settings(dataset)

    def _settings_now(self) -> Mapping[str, Any]:
        """Return the session's settings that affect how values are computed and written, and rows selected."""
        if self._dialect.settings is None:
            return {}
        return dict(self._session.exec_driver_sql(self._dialect.settings).mappings().one())

    def _check_settings(self, dataset: Dataset) -> None:
        """Raise SettingRefused if a function of the producer has changed a setting while rows were read."""
        now = self._settings_now()
        changed = [name for name, value in self._settings.items() if now.get(name) != value]
        if changed:
            raise SettingRefused(self._where(dataset), changed)

    @contextlib.contextmanager
    def _translate_errors(self, dataset: Dataset | None = None) -> Iterator[None]:
        try:
            yield
        except StreamFactoryError:
            raise
        except Exception as error:  # a driver has errors of its own that SQLAlchemy does not know
            if dataset is not None and self._is_undecoded(error):
                raise values_rejected(self._where(dataset), dataset, self._undecoded(dataset)) from None
            of = meaning(error, self.place.kind)
            raise DatabaseFailed(
                self._where(dataset), of.what, of.todo, retryable=of.retryable, sqlstate=None
            ) from None

    def _is_undecoded(self, error: Exception) -> bool:
        original = getattr(error, "orig", error)
        of_sqlite = isinstance(original, sqlite3.OperationalError) and error_code(error) is None
        return of_sqlite or isinstance(original, UnicodeDecodeError)

    def _undecoded(self, dataset: Dataset) -> Mapping[tuple[str, Reason], int | None]:
        """Count the texts that are not UTF-8, by column; the driver's error text contains one of them."""
        if self.place.kind is not SourceKind.SQLITE:
            return {("", Reason(*INVALID_UTF8)): None}
        counts: Counter[tuple[str, Reason]] = Counter()
        table = sa.table(dataset.source_table, schema=self._schema)
        for name in (column.name for column in dataset.columns):
            column: sa.ColumnClause[Any] = sa.column(name)
            texts = sa.select(sa.cast(column, sa.LargeBinary)).where(sa.func.typeof(column) == "text")
            for (raw,) in self._session.execute(texts.select_from(table)):
                counts[name, Reason(*INVALID_UTF8)] += not _is_utf8(raw)
        return +counts


def _within_bytes(wanted: Iterable[tuple[str, str]], most: int) -> Iterator[list[tuple[str, str]]]:
    """Yield the pairs in parts of at most so many characters, with commas."""
    part: list[tuple[str, str]] = []
    length = 0
    for one in wanted:
        more = sum(map(len, one)) + 4
        if part and length + more > most:
            yield part
            part, length = [], 0
        part.append(one)
        length += more
    if part:
        yield part


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_connection(error: Exception, kind: SourceKind) -> tuple[str, str, bool]:
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        what = "the server wants a way of sending passwords for which the driver lacks the package cryptography"
        return what, "Install PyMySQL[rsa] into the merge-job image, or let the server take TLS", False
    of = meaning(error, kind)
    if of.retryable or error_code(error) is not None:
        return of.what, of.todo, of.retryable
    return "no connection came about", "Check that the server is up, and user, password and database", True


def _encoder(type_name: str, of: sa.types.TypeEngine[Any]) -> Encoder:
    """Return the function that writes values of the driver's type `of` into a column of the named type."""
    encode = encoder(type_name)
    if isinstance(of, SINGLE_PRECISION):
        return single_precision(encode, type_name)
    if isinstance(of, mysql.BIT):
        return bits(encode, type_name, of.length or 1)
    return encode


def select_text(of: Database, dataset: Dataset, part: SourcePart | Since = SourcePart.ROWS) -> str:
    """Return the query that reads a dataset, or a part of it, in its database's SQL; needs no driver."""
    dialect = URL.create(DIALECTS[of.kind].driver).get_dialect()(paramstyle="named")  # type: ignore[call-arg]  # as each of them takes
    query = _select(dataset, inspected_schema(of))
    if isinstance(part, Since):
        query = query.where(condition(part, of.kind))
    return str(query.compile(dialect=dialect))


def hashes_text(of: Database, dataset: Dataset) -> str:
    """Return the query for the hash and the key of each row, as MySQL runs it for its `:line` of each row."""
    return _lines_text(of, dataset, f"CONCAT({hash_of(':line')}, {TAB}, :key_line)")


def rows_of_hashes_text(of: Database, dataset: Dataset) -> str:
    """Return the query for the rows of some hashes, as MySQL runs it for its `:line` of each row."""
    keys = f"{quoted(dataset.primary_key[0])} IN (:keys)"
    return _lines_text(of, dataset, ":line", f"{keys} AND {hash_of(':line')} IN (:hashes)")


def _lines_text(of: Database, dataset: Dataset, line: str, *conditions: str) -> str:
    wanted: list[sa.ColumnElement[Any]] = [sa.literal_column(line)]
    query = _select(dataset, inspected_schema(of), wanted).where(*map(sa.literal_column, conditions))
    return str(query.compile(dialect=mysql.dialect()))


def _select(
    dataset: Dataset, schema: str | None, wanted: Sequence[sa.ColumnElement[Any]] = ()
) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*(wanted or _wanted(dataset))).select_from(sa.table(dataset.source_table, schema=schema))


def _wanted(dataset: Dataset, narrow: frozenset[str] = frozenset()) -> list[sa.ColumnElement[Any]]:
    # Columns without a type, so that the driver's own values come: no converting there and back.
    return [_whole(column.name) if column.name in narrow else sa.column(column.name) for column in dataset.columns]


def _whole(name: str) -> sa.ColumnElement[Any]:
    """Return a FLOAT of MySQL as a double; otherwise the server sends only six digits of it."""
    return sa.column(name).op("+")(sa.literal_column("0e0"))


def inspected_schema(of: ConnectionInfo | Database) -> str | None:
    """Return the schema as SQLAlchemy takes it: None is the database's own; PostgreSQL's is always named."""
    return None if of.schema == DEFAULT_SCHEMA and of.kind is not SourceKind.POSTGRESQL else of.schema
