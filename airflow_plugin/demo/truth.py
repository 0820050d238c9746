"""What a round must report, computed apart from the product: plain SELECTs of source and merge tables, compared here.

Nothing of the merge job is used, not even its names for counts; only where its tables are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from config_schema.errors import StreamFactoryError

OPEN = 2147483647

Row = tuple[Any, ...]
Rows = dict[str, Row]  # by key; the demo's keys are single columns

TABLES = {
    "customers": (
        *("id", "firstName", "lastName", "dob", "email", "phone"),
        *("primaryAddressId", "billingAddressId"),
    ),
    "addresses": ("id", "customerId", "streetName", "city", "state", "zipCode"),
}


@dataclass(frozen=True)
class Expected:
    """The counts that a round must report for one dataset."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    total: int


@dataclass(frozen=True)
class Merged:
    """A merge table as it stands: its current rows, and how many versions of each row it has closed."""

    current: Rows
    closed: Counter[Row]


def expected(source: Rows, before: Rows) -> Expected:
    """What must be reported when `source` is merged into a table whose current rows are `before`."""
    both = source.keys() & before.keys()
    updated = sum(source[key] != before[key] for key in both)
    return Expected(
        inserted=len(source.keys() - before.keys()),
        updated=updated,
        deleted=len(before.keys() - source.keys()),
        unchanged=len(both) - updated,
        total=len(source),
    )


def differences(source: Rows, before: Merged, after: Merged, *, forensic: bool) -> list[str]:
    """How the merge table differs from what it must be after the round; empty if in nothing."""
    found = []
    if after.current != source:
        found.append(f"{_unequal(source, after.current)} rows differ from the source")
    gone = Counter(row for key, row in before.current.items() if source.get(key) != row)
    if after.closed != (before.closed + gone if forensic else Counter()):
        found.append("the closed versions are not those that the changes of this round closed")
    return found


def source_rows(connection: Connection, dataset: str) -> Rows:
    """The producer's rows as they are now."""
    return _by_key(_select(connection, dataset, TABLES[dataset], ()))


def merged_rows(connection: Connection, table: str, dataset: str, *, forensic: bool) -> Merged:
    """A merge table's rows as they are now; none if it is not there yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NULL", (f'public."{table}"',))
        row = cursor.fetchone()
    connection.rollback()
    if row is None or row[0]:
        return Merged({}, Counter())
    columns = TABLES[dataset]
    rows = _select(connection, table, columns, ("ds_batch_out",) if forensic else ())
    if not forensic:
        return Merged(_by_key(rows), Counter())
    return Merged(
        _by_key(row[:-1] for row in rows if row[-1] == OPEN), Counter(row[:-1] for row in rows if row[-1] != OPEN)
    )


def _select(connection: Connection, table: str, columns: Iterable[str], more: Iterable[str]) -> list[Row]:
    wanted = sql.SQL(", ").join(map(sql.Identifier, (*columns, *more)))
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier("public", table)))
        return cursor.fetchall()


def _by_key(rows: Iterable[Row]) -> Rows:
    found: Rows = {}
    for row in rows:
        if row[0] in found:
            raise StreamFactoryError("truth", "a key stands in a table twice", "This is a bug: please report it")
        found[row[0]] = row
    return found


def _unequal(one: Rows, other: Rows) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())
