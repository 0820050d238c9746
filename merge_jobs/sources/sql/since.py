"""The condition by which a database that SQLAlchemy reads selects the rows since a cursor.

A condition may select rows that were read before: the merge compares them, and they change nothing. It must not leave
out a later one. So times are compared from a second before: servers store and compare fractions of seconds with
different precisions (SQL Server's datetime has thirds of a hundredth).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from config_schema.model import SourceKind
from config_schema.model.sql_types import INTEGERS
from merge_jobs.sources import Since

MARGIN = timedelta(seconds=1)
MARGIN_DAYS = "0.00002"  # of a Julian day, in which SQLite compares times; more than a second


def condition(since: Since, kind: SourceKind) -> sa.ColumnElement[bool]:
    """Return the condition for the rows to read."""
    column: sa.ColumnClause[Any] = sa.column(since.column)
    rows = sa.or_(column.is_(None), sa.and_(_at_least(column, since, kind), *_not_tied(column, since, kind)))
    return rows if kind is not SourceKind.SQLITE else sa.or_(rows, *_of_another_kind(column, since))


def _at_least(column: sa.ColumnElement[Any], since: Since, kind: SourceKind) -> sa.ColumnElement[bool]:
    if since.kind in INTEGERS:
        return column >= sa.bindparam("cursor", int(since.at_least))
    if kind is not SourceKind.SQLITE:
        return column >= sa.bindparam("cursor", _time(since.at_least, MARGIN))
    # SQLite has no times: texts in any of the formats that the merge store accepts are compared as days.
    at_least: sa.BindParameter[str] = sa.bindparam("cursor", _time(since.at_least).isoformat(sep=" "))
    return sa.func.julianday(column) >= sa.func.julianday(at_least) - sa.literal_column(MARGIN_DAYS)


def _not_tied(column: sa.ColumnElement[Any], since: Since, kind: SourceKind) -> list[sa.ColumnElement[bool]]:
    """Return the condition that leaves out rows with the last value and a lower tie breaker."""
    if since.tie_breaker is None or since.tie is None:
        return []
    last: Any = int(since.last) if since.kind in INTEGERS else _time(since.last)
    if kind is SourceKind.SQLITE and isinstance(last, datetime):
        last = last.isoformat(sep=" ")
    tie: sa.ColumnClause[Any] = sa.column(since.tie_breaker)
    others = [column != sa.bindparam("last", last), tie.is_(None), tie >= sa.bindparam("tie", int(since.tie))]
    if kind is SourceKind.SQLITE:
        others.append(sa.func.typeof(tie) != sa.literal_column("'integer'"))
    return [sa.or_(*others)]


def _of_another_kind(column: sa.ColumnElement[Any], since: Since) -> list[sa.ColumnElement[bool]]:
    """Return conditions for values that SQLite orders in another way than the merge store; they are always read."""
    of_type = sa.func.typeof(column)
    if since.kind in INTEGERS:
        return [sa.and_(of_type != sa.literal_column("'integer'"), of_type != sa.literal_column("'real'"))]
    return [of_type != sa.literal_column("'text'"), sa.func.julianday(column).is_(None)]


def _time(text: str, before: timedelta = timedelta()) -> datetime:
    """Return a date or time that PostgreSQL has written, in UTC; the earliest there is for one before our era."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) - before
    except (ValueError, OverflowError):
        return datetime.min
