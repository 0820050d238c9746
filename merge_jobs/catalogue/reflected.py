"""The tables of a database that is not PostgreSQL, by its SQLAlchemy dialect; MySQL and SQLite know more of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sqlalchemy.engine import Inspector
from sqlalchemy.exc import SQLAlchemyError

from config_schema.model import SourceKind
from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind, unusable_unless_filled
from merge_jobs.database import Place
from merge_jobs.sources.column_types import postgres_type
from merge_jobs.sources.sqlalchemy_source import inspected_schema


def reflected_tables(inspector: Inspector, place: Place) -> list[FoundTable]:
    """Return the tables and views of the place's schema, by name."""
    schema = inspected_schema(place)
    tables = [(name, TableKind.TABLE) for name in inspector.get_table_names(schema=schema)]
    views = [(name, TableKind.VIEW) for name in inspector.get_view_names(schema=schema)]
    return [
        readable_or_why(name, kind, partial(_table, inspector, place, schema, name, kind))
        for name, kind in sorted(tables + views)
    ]


def readable_or_why(name: str, kind: TableKind, read: Callable[[], FoundTable]) -> FoundTable:
    """Return what `read` gives; where the catalogue refuses this one table, the table left out."""
    try:
        return read()
    except SQLAlchemyError as error:
        return FoundTable(name, kind, left_out=f"its definition cannot be read ({type(error).__name__})")


def reflected_columns(inspector: Inspector, place: Place, table: str) -> list[FoundColumn]:
    """Return the columns of a table, in its order, with the types that hold every value of theirs."""
    found = inspector.get_columns(table, schema=inspected_schema(place))
    return [
        FoundColumn(_name(one["name"], place.kind), postgres_type(one["type"], place.kind), one["nullable"])
        for one in found
    ]


def _name(name: str, kind: SourceKind) -> str:
    # SQLAlchemy reads MySQL's definition of the table, in which a backtick stands twice.
    return name.replace("``", "`") if kind is SourceKind.MYSQL else name


def _table(inspector: Inspector, place: Place, schema: str | None, name: str, kind: TableKind) -> FoundTable:
    columns = reflected_columns(inspector, place, name)
    filled = [column.name for column in columns if not column.nullable]
    return FoundTable(name, kind, tuple(columns), tuple(_keys(inspector, place.kind, schema, name, filled)))


def _keys(
    inspector: Inspector, kind: SourceKind, schema: str | None, table: str, filled: Iterable[str]
) -> Iterator[FoundKey]:
    primary = inspector.get_pk_constraint(table, schema=schema)
    if primary["constrained_columns"]:
        yield FoundKey(primary.get("name") or "primary key", tuple(primary["constrained_columns"]), preferred=True)
    for index in inspector.get_indexes(table, schema=schema):
        if not index["unique"]:
            continue
        key = tuple(name for name in index["column_names"] if name is not None)
        if len(key) < len(index["column_names"]):
            unusable: str | None = "it is of expressions"
        elif any(
            of.endswith("_where") and condition is not None
            for of, condition in index.get("dialect_options", {}).items()
        ):
            unusable = "it is of some rows only"
        else:
            unusable = unusable_unless_filled(key, filled)
        yield FoundKey(str(index["name"]), key, unusable)
