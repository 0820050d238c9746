"""The producer's tables: created and seeded, read for the next change, and changed."""

from __future__ import annotations

from typing import Any, assert_never

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from merge_jobs.database_errors import database_failed
from merge_jobs.simulator.change import CustomerChange, Delete, Household, Insert, RowChange, Update
from merge_jobs.sql import composed


class RowsMoved(Exception):
    """Somebody else has changed the rows of a change meanwhile: it must be rolled back and drawn again."""


def create_tables(connection: Connection) -> bool:
    """Create missing tables, and seed them if both are empty; return whether anything was done.

    One transaction. Raises DatabaseFailed.
    """
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(composed("producer.one_at_a_time", {}, {}))
            missing = _is_so(cursor, "missing_tables")
            if missing:
                cursor.execute(composed("producer.create_tables", {}, {}))
            if missing and _is_so(cursor, "missing_address_keys"):
                cursor.execute(composed("producer.add_address_keys", {}, {}))
            empty = _is_so(cursor, "empty_tables")
            if empty:
                cursor.execute(composed("producer.seed", {}, {}))
            return missing or empty
    except psycopg2.Error as error:
        raise database_failed(error, "the producer's tables") from error


def begin_change(cursor: Cursor) -> int:
    """Set up the transaction; return its id."""
    cursor.execute(composed("producer.begin_change", {}, {}))
    return int(_only_row(cursor)[1])


def transaction_status(cursor: Cursor, transaction: int) -> str | None:
    """Return `committed`, `aborted` or `in progress`; None if the server no longer knows."""
    values = {"transaction": transaction}
    cursor.execute(composed("producer.transaction_status", {}, values), values)
    status: str | None = _only_row(cursor)[0]
    return status


def last_numbers(cursor: Cursor) -> tuple[int, int]:
    """Return the highest numbers in the ids of customers and of addresses."""
    cursor.execute(composed("producer.last_numbers", {}, {}))
    customer, address = _only_row(cursor)
    return int(customer), int(address)


def household_at(cursor: Cursor, position: float) -> Household | None:
    """Return the household at a position in [0, 1) by id, locked; None if there is no customer."""
    values = {"position": position}
    cursor.execute(composed("producer.customer_at", {}, values), values)
    customers = _rows(cursor)
    if not customers:
        return None
    values_of = {"customer": customers[0]["id"]}
    cursor.execute(composed("producer.addresses_of", {}, values_of), values_of)
    return Household(customers[0], tuple(_rows(cursor)))


def apply(cursor: Cursor, change: CustomerChange) -> None:
    """Write the rows of a change. Raises RowsMoved if one of them is no longer there."""
    for row in change.rows:
        _write(cursor, row)
        if cursor.rowcount != 1:
            raise RowsMoved


def _write(cursor: Cursor, row: RowChange) -> None:
    table = {"table": sql.Identifier(row.table)}
    match row:
        case Insert():
            columns = sql.SQL(", ").join(map(sql.Identifier, row.values))
            parts = {**table, "columns": columns, "values": sql.SQL(", ").join(map(sql.Placeholder, row.values))}
            cursor.execute(composed("producer.insert_row", parts, {}), row.values)
        case Update():
            pairs = (sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in row.values)
            parts = {**table, "assignments": sql.SQL(", ").join(pairs)}
            cursor.execute(composed("producer.update_row", parts, {"id": row.id}), {**row.values, "id": row.id})
        case Delete():
            cursor.execute(composed("producer.delete_row", table, {"id": row.id}), {"id": row.id})
        case _:
            assert_never(row)


def _is_so(cursor: Cursor, name: str) -> bool:
    cursor.execute(composed(f"producer.{name}", {}, {}))
    return bool(_only_row(cursor)[0])


def _only_row(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row


def _rows(cursor: Cursor) -> list[dict[str, Any]]:
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
