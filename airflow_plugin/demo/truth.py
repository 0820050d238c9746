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

from airflow_plugin.demo.errors import KeyTwice

OPEN = 2147483647

Row = tuple[Any, ...]
Rows = dict[str, Row]  # by key; the demo's keys are single columns
Versions = Counter[tuple[Row, int, int]]  # a row, the batch that it came in, and the one that it went out

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
    """A merge table as it stands: its current rows, and if it is forensic every version."""

    current: Rows
    versions: Versions


def expected(source: Rows, before: Rows) -> Expected:
    """Return what must be reported when `source` is merged into a table whose current rows are `before`."""
    both = source.keys() & before.keys()
    updated = sum(source[key] != before[key] for key in both)
    return Expected(
        inserted=len(source.keys() - before.keys()),
        updated=updated,
        deleted=len(before.keys() - source.keys()),
        unchanged=len(both) - updated,
        total=len(source),
    )


def differences(source: Rows, before: Merged, after: Merged, batch: int, *, forensic: bool) -> list[str]:
    """Return how the merge table differs from what it must be after the round; empty if it does not.

    `batch` is the id that the run reported: versions must begin and end with it.
    """
    found = []
    if after.current != source:
        found.append(f"{_unequal(source, after.current)} rows differ from the source")
    if forensic:
        wanted = _versions_after(source, before, batch)
        wrong = sum(((wanted - after.versions) + (after.versions - wanted)).values())
        if wrong:
            found.append(f"{wrong} versions are missing, or not as the changes of this round must leave them")
    return found


def _versions_after(source: Rows, before: Merged, batch: int) -> Versions:
    gone = {row for key, row in before.current.items() if source.get(key) != row}
    come = [row for key, row in source.items() if before.current.get(key) != row]
    kept: Versions = Counter()
    for (row, came, went), number in before.versions.items():
        kept[row, came, batch if went == OPEN and row in gone else went] += number
    return kept + Counter((row, batch, OPEN) for row in come)


def source_rows(connection: Connection, dataset: str) -> Rows:
    """Return the producer's rows as they are now."""
    return _by_key(_select(connection, dataset, TABLES[dataset], ()))


def merged_rows(connection: Connection, table: str, dataset: str, *, forensic: bool) -> Merged:
    """Return a merge table's rows as they are now; empty if it does not exist yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NULL", (f'public."{table}"',))
        row = cursor.fetchone()
    connection.rollback()
    if row is None or row[0]:
        return Merged({}, Counter())
    columns = TABLES[dataset]
    if not forensic:
        return Merged(_by_key(_select(connection, table, columns, ())), Counter())
    versions = [(row[:-2], *row[-2:]) for row in _select(connection, table, columns, ("ds_batch_in", "ds_batch_out"))]
    return Merged(_by_key(row for row, _, went in versions if went == OPEN), Counter(versions))


def _select(connection: Connection, table: str, columns: Iterable[str], more: Iterable[str]) -> list[Row]:
    wanted = sql.SQL(", ").join(map(sql.Identifier, (*columns, *more)))
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier("public", table)))
        return cursor.fetchall()


def _by_key(rows: Iterable[Row]) -> Rows:
    found: Rows = {}
    for row in rows:
        if row[0] in found:
            raise KeyTwice
        found[row[0]] = row
    return found


def _unequal(one: Rows, other: Rows) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())
