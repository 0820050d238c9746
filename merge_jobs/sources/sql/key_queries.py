"""The queries with which a person finds bad keys in a producer's database, in its own SQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from config_schema.model import Database, Dataset, SourceKind
from config_schema.model.sql_types import base_type, is_text, long_name
from merge_jobs.sources.sql.dialects import DIALECTS
from merge_jobs.sources.sql.source import inspected_schema

# Collations that compare every character, as text does in a merge store; these databases' own may not.
EXACT = {SourceKind.SQLITE: "BINARY", SourceKind.MSSQL: "Latin1_General_BIN2"}


def bad_keys_query(of: Database, dataset: Dataset, reason: str) -> str:
    """Return the query for the `duplicate` or the `null` keys of a dataset; needs no driver."""
    types = {column.name: long_name(column.type) for column in dataset.columns}
    table = sa.table(dataset.source_table, schema=inspected_schema(of))
    query: sa.Select[Any]
    if reason == "null":
        missing = [sa.column(name).is_(None) for name in dataset.primary_key]
        query = sa.select(sa.text("*")).select_from(table).where(sa.or_(*missing))
    else:
        key = [_compared(name, types[name], of.kind) for name in dataset.primary_key]
        number = sa.func.count()
        query = sa.select(*key, number).select_from(table).group_by(*key).having(number > 1)
    dialect = URL.create(DIALECTS[of.kind].driver).get_dialect()()
    return " ".join(str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).split())


def _compared(name: str, type_name: str, kind: SourceKind) -> sa.ColumnElement[Any]:
    """Return a key column in the form in which the merge store compares it: texts by their characters."""
    column: sa.ColumnElement[Any] = sa.column(name)
    if not is_text(type_name):
        return column
    if base_type(type_name) == "citext":
        column = sa.func.lower(column)
    if kind is SourceKind.MYSQL:
        return sa.cast(column, sa.BINARY)
    if kind is SourceKind.SQLITE:
        column = sa.cast(column, sa.Text)
    return sa.collate(column, EXACT[kind]) if kind in EXACT else column
