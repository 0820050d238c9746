"""A datastore as the catalogue of a live database tells it, so that nobody types columns. Reads no rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import sqlalchemy as sa
from sqlalchemy.engine import Inspector
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.pool import NullPool

from config_schema.model import Column, Consistency, Database, Dataset, Datastore, SourceKind
from merge_jobs.database import Place, connect
from merge_jobs.errors import CommandWrong, DatabaseFailed
from merge_jobs.sources import Source
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres import PostgresSource
from merge_jobs.sources.sqlalchemy_source import inspected_schema, source_engine

APPLICATION = "merge-job describe"
LOCK_SECONDS = 10
PORTS = {SourceKind.MYSQL: 3306, SourceKind.MSSQL: 1433, SourceKind.ORACLE: 1521}
# SQLAlchemy's names of dialects, and older ones that people still write.
KINDS = {kind.value: kind for kind in SourceKind} | {"postgres": SourceKind.POSTGRESQL, "mariadb": SourceKind.MYSQL}


@dataclass(frozen=True)
class Described:
    """The datastore, and the tables that are not in it, each with the reason."""

    datastore: Datastore
    left_out: tuple[tuple[str, str], ...]


def place_of_dsn(dsn: str, schema: str, password: str | None) -> Place:
    """The place that `kind://user:password@host:port/database` names; `password` where the DSN has none.

    Raises CommandWrong, which never shows the DSN: it may hold a password.
    """
    try:
        url = sa.engine.make_url(dsn)
        kind = KINDS[url.get_backend_name()]
    except (SQLAlchemyError, ValueError, KeyError):
        shape = "postgresql://user@host:5432/database"
        raise CommandWrong("--dsn", f"it is no DSN like {shape}", f"Begin with one of {', '.join(KINDS)}") from None
    if not url.database:
        raise CommandWrong("--dsn", "it names no database", "Put /database behind the host")
    port = url.port or PORTS.get(kind, 5432)
    return Place(
        url.host or "localhost", port, url.database, schema, url.username or "", url.password or password or "", kind
    )


def described(
    place: Place, name: str, credential: str, consistency: Consistency, wanted: Iterable[str] = ()
) -> Described:
    """The tables of the place's schema, or those whose names match one of the patterns `wanted`.

    A table without a key that is unique and never NULL is left out. Raises StreamFactoryError.
    """
    patterns = tuple(wanted)
    found: list[Dataset] = []
    left_out: list[tuple[str, str]] = []
    with open_source(place, APPLICATION) as source, _inspector(place, source.where) as inspector:
        schema = inspected_schema(place)
        for table in sorted(inspector.get_table_names(schema=schema)):
            if patterns and not any(fnmatchcase(table, pattern) for pattern in patterns):
                continue
            dataset = _dataset(inspector, source, schema, table)
            if dataset is None:
                left_out.append((table, "it has no primary key, and no unique index on columns that are never NULL"))
            else:
                found.append(dataset)
    if not found:
        what = "there is no table with a key" if left_out else "there is no table that is asked for"
        raise CommandWrong(f"{source.where}, schema {place.schema}", what, "Check --schema, --table and who may read")
    database = Database(place.host, place.database, credential, place.port, place.schema, place.kind)
    return Described(Datastore(name, database, tuple(found), consistency), tuple(left_out))


def _dataset(inspector: Inspector, source: Source, schema: str | None, table: str) -> Dataset | None:
    key = _key(inspector, schema, table)
    if not key:
        return None
    types = _types(source, Dataset(table, (), ()))
    columns = tuple(
        Column(column["name"], types[column["name"]], column["nullable"] and column["name"] not in key)
        for column in inspector.get_columns(table, schema=schema)
    )
    return Dataset(table, columns, key)


def _types(source: Source, dataset: Dataset) -> Mapping[str, str]:
    if isinstance(source, PostgresSource):
        return dict(source.rows("postgres_source.modelled_types", source.named(dataset)))
    return {name: column.type for name, column in source.columns(dataset).items()}


def _key(inspector: Inspector, schema: str | None, table: str) -> tuple[str, ...]:
    """The primary key; else the shortest unique index on columns that are never NULL."""
    primary = inspector.get_pk_constraint(table, schema=schema)["constrained_columns"]
    if primary:
        return tuple(primary)
    filled = {column["name"] for column in inspector.get_columns(table, schema=schema) if not column["nullable"]}
    unique = [
        tuple(name for name in index["column_names"] if name is not None)
        for index in inspector.get_indexes(table, schema=schema)
        if index["unique"] and not _partial(index) and filled.issuperset(index["column_names"])
    ]
    return min(unique, key=lambda names: (len(names), names), default=())


def _partial(index: object) -> bool:
    options = index.get("dialect_options", {}) if isinstance(index, dict) else {}
    return bool(options.get("postgresql_where"))


@contextmanager
def _inspector(place: Place, where: str) -> Iterator[Inspector]:
    if place.kind is SourceKind.POSTGRESQL:
        session = connect(place, APPLICATION, where, LOCK_SECONDS)
        engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: session, poolclass=NullPool)
    else:
        engine = source_engine(place, where)
    try:
        with warnings.catch_warnings(), engine.connect() as connection:
            # Types that it does not know: they are read apart, by the source.
            warnings.simplefilter("ignore", SAWarning)
            yield sa.inspect(connection)
    except SQLAlchemyError as error:
        what = f"its catalogue cannot be read ({type(error).__name__})"
        todo = "Check that the user may read the schema"
        raise DatabaseFailed(where, what, todo, retryable=False, sqlstate=None) from None
    finally:
        engine.dispose()
