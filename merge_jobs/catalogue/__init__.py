"""A datastore described from the catalogue of a live database, so that nobody types columns. Reads no rows."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn, assert_never

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from config_schema.errors import DsnMalformed, StreamFactoryError, UnknownName
from config_schema.load.described import DescribedDatastore, LeftOut, checked_datastore
from config_schema.model import Consistency, Database, Datastore, SourceKind
from config_schema.tls import MAY_DO_WITHOUT, Tls
from merge_jobs.catalogue.datasets import impossible, sorted_tables
from merge_jobs.catalogue.errors import NoTableFound
from merge_jobs.catalogue.found import FoundTable
from merge_jobs.catalogue.mysql import mysql_tables
from merge_jobs.catalogue.postgres import postgres_tables
from merge_jobs.catalogue.reflected import reflected_tables
from merge_jobs.catalogue.sqlite import sqlite_tables
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.errors import DatabaseFailed
from merge_jobs.sources import Source
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sources.sql.engine import source_engine, take_snapshot

APPLICATION = "merge-job describe"
WILDCARD = re.compile(r"[*?\[]")
SHOWN = 5  # reasons in an error
WITHOUT_CATALOGUE = (SourceKind.FILES, SourceKind.REST)  # what is in a record is seen when it is read
OF_TLS = re.compile("ssl|tls|encrypt|trust", re.IGNORECASE)  # how parameters of drivers about it begin
# SQLAlchemy's names of dialects, and older ones that people still write.
KINDS = {kind.value: kind for kind in SourceKind if kind not in WITHOUT_CATALOGUE} | {
    "postgres": SourceKind.POSTGRESQL,
    "mariadb": SourceKind.MYSQL,
}


@dataclass(frozen=True)
class TableChoice:
    """Names or patterns of tables: those that are `wanted` (all if empty), without those that are `excluded`."""

    wanted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def takes(self, table: str) -> bool:
        """Return whether the table is chosen."""
        return (not self.wanted or _matches(table, self.wanted)) and not _matches(table, self.excluded)


EVERYTHING = TableChoice()


def place_of_dsn(dsn: str, schema: str, password: str | None) -> ConnectionInfo:
    """Return the address in `kind://user:password@host:port/database`.

    `password` is used if the DSN has none. Raises DsnMalformed, which never shows the DSN, because it may contain a
    password.
    """
    try:
        url = sa.engine.make_url(dsn)
        kind = KINDS[url.get_backend_name()]
    except (SQLAlchemyError, ValueError, KeyError):
        todo = f"Write one like postgresql://user@host:5432/database, which begins with one of {', '.join(KINDS)}"
        raise DsnMalformed("--dsn", todo) from None
    if not url.database:
        raise DsnMalformed("--dsn", "Put /database behind the host: it names no database")
    port = url.port or _usual_port(kind)
    # A path is what it is: %, ? and # mean nothing in it. A job may start in another folder.
    database = url.database if kind is not SourceKind.SQLITE else str(Path(dsn.partition(":///")[2]).absolute())
    login = url.username or "", url.password or password or ""
    tls = (None, None) if kind is SourceKind.SQLITE else _tls_of(url)
    return ConnectionInfo(url.host or "localhost", port, database, schema, *login, kind, *tls)


def _tls_of(url: sa.engine.URL) -> tuple[Tls | None, str | None]:
    """Return the mode of TLS that a DSN demands, in libpq's words whatever database it is of, and the file of its CA.

    Raises DsnMalformed for what would be taken for a demand, and is none.
    """
    given = dict(url.query)
    mode, ca = given.pop("sslmode", ""), given.pop("sslrootcert", "")
    known: dict[object, Tls | None] = {**dict.fromkeys(MAY_DO_WITHOUT), **{one.value: one for one in Tls}}
    if any(map(OF_TLS.match, given)) or mode not in known or not isinstance(ca, str):
        modes = ", ".join(one.value for one in Tls)
        raise DsnMalformed("--dsn", f"Write of TLS only ?sslmode= with one of {modes}, and &sslrootcert= with a file")
    return known[mode], str(Path(ca).absolute()) if ca and ca != "system" else None


def _usual_port(kind: SourceKind) -> int:
    match kind:
        case SourceKind.MYSQL:
            return 3306
        case SourceKind.MSSQL:
            return 1433
        case SourceKind.ORACLE:
            return 1521
        case (
            SourceKind.POSTGRESQL | SourceKind.SQLITE | SourceKind.FILES | SourceKind.REST
        ):  # a file has none, whatever is written
            return 5432
    assert_never(kind)


def described(
    place: ConnectionInfo, name: str, credential: str, consistency: Consistency, choice: TableChoice = EVERYTHING
) -> DescribedDatastore:
    """Describe the tables of the schema.

    A table without a key that is unique and never NULL is left out, and so is whatever no batch could read. Raises
    StreamFactoryError, also for the name of a table that does not exist.
    """
    # A person may name a file by a link.
    real = replace(place, database=os.path.realpath(place.database)) if place.kind is SourceKind.SQLITE else place
    with open_source(real, APPLICATION) as source:
        tables = found_tables(real, source)
        where = f"{source.where}, schema {place.schema}"
    _check_choice(where, choice, [table.name for table in tables])
    found = sorted_tables((table for table in tables if choice.takes(table.name)), choice.wanted)
    database = Database(place.host, place.database, credential, place.port, place.schema, place.kind)
    datastore = checked_datastore(found, Datastore(name, database, (), consistency), impossible)
    if not found.datasets:
        _raise_nothing_found(where, found.left_out)
    return DescribedDatastore(datastore, found.notes, tuple(sorted(found.left_out, key=lambda left: left.table)))


def found_tables(place: ConnectionInfo, source: Source, only: Collection[str] | None = None) -> list[FoundTable]:
    """Return what the catalogue says about the schema's tables; `only` about these, if it is given.

    `source` is a session with the place; another one is opened where it is not PostgreSQL. Raises StreamFactoryError.
    """
    if isinstance(source, PostgresSource):
        return postgres_tables(source, only)
    if place.kind in WITHOUT_CATALOGUE:
        return []
    with _session(place, source.where) as session:
        if place.kind is SourceKind.MYSQL:
            return mysql_tables(session, place, only)
        if place.kind is SourceKind.SQLITE:
            return sqlite_tables(session, place, only)
        return reflected_tables(session, place, only)


def _matches(table: str, patterns: Iterable[str]) -> bool:
    return any(table == pattern or fnmatchcase(table, pattern) for pattern in patterns)


def _check_choice(where: str, choice: TableChoice, known: Sequence[str]) -> None:
    """Raise UnknownName for a name or pattern that matches no table: a typing error would change the choice."""
    for flag, patterns in (("--table", choice.wanted), ("--exclude", choice.excluded)):
        for pattern in patterns:
            is_name = flag == "--table" or not WILDCARD.search(pattern)
            if is_name and not any(_matches(table, [pattern]) for table in known):
                raise UnknownName(flag, "table", pattern, known, where)


def _raise_nothing_found(where: str, left_out: Sequence[LeftOut]) -> NoReturn:
    if not left_out:
        raise NoTableFound(where)
    reasons = "; ".join(f"{left.table}: {left.why}" for left in left_out[:SHOWN])
    more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
    raise NoTableFound(where, reasons + more)


@contextmanager
def _session(place: ConnectionInfo, where: str) -> Iterator[sa.Connection]:
    engine = source_engine(place, where)
    try:
        with warnings.catch_warnings(), engine.connect() as connection:
            # Types that it does not know: see column_types.py.
            warnings.simplefilter("ignore", SAWarning)
            if place.kind is SourceKind.SQLITE:
                take_snapshot(connection, place, where)  # one state of the file, whatever others do
            yield connection
    except (StreamFactoryError, MemoryError):
        raise
    except Exception as error:  # a driver has errors of its own that SQLAlchemy does not know
        what = f"its catalogue cannot be read ({type(error).__name__})"
        todo = "Check that the user may read the schema"
        raise DatabaseFailed(where, what, todo, retryable=False, sqlstate=None) from None
    finally:
        engine.dispose()
