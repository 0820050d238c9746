"""The measure and the truth, in plain code that shares nothing with the product: a raw copy, a table's digest."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable

import psycopg2

CHUNK_BYTES = 1 << 17

# By the rows' text, in no order: the same rows give the same three numbers.
DIGEST = """
SELECT count(*), bit_xor(hash), sum(hash::numeric)
FROM (SELECT hashtextextended(ROW({columns})::text, 0) AS hash FROM {table} {condition}) hashed
"""


def raw_copy_seconds(source: str, target: str, columns: Iterable[str]) -> float:
    """Seconds of COPY (binary) | COPY (binary) of customers, into a new table without an index, until its commit."""
    names = ", ".join(columns)
    with (
        contextlib.closing(psycopg2.connect(source)) as reading,
        contextlib.closing(psycopg2.connect(target)) as writing,
        writing.cursor() as cursor,
    ):
        cursor.execute(f"CREATE TABLE raw_copy ({_definitions(reading)})")
        writing.commit()
        began = time.monotonic()
        read_end, write_end = os.pipe()
        thread = threading.Thread(target=_send, args=(reading, names, write_end))
        thread.start()
        with os.fdopen(read_end, "rb", buffering=CHUNK_BYTES) as reader:
            cursor.copy_expert(f"COPY raw_copy ({names}) FROM STDIN (FORMAT binary)", reader, CHUNK_BYTES)
        thread.join()
        writing.commit()
        seconds = time.monotonic() - began
        cursor.execute("DROP TABLE raw_copy")
        writing.commit()
    return seconds


def digest(dsn: str, table: str, columns: Iterable[str], condition: str = "") -> tuple[int, ...]:
    """The table's number of rows and two sums over them; two tables with the same rows have the same."""
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET jit = off")
        cursor.execute(DIGEST.format(columns=", ".join(columns), table=table, condition=condition))
        return tuple(cursor.fetchone())


def run_statement(dsn: str, statement: str) -> None:
    """Run a statement that wants no transaction around it."""
    with contextlib.closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _send(connection: psycopg2.extensions.connection, names: str, pipe: int) -> None:
    with os.fdopen(pipe, "wb", buffering=CHUNK_BYTES) as writer, connection.cursor() as cursor:
        cursor.copy_expert(f"COPY customers ({names}) TO STDOUT (FORMAT binary)", writer)


def _definitions(connection: psycopg2.extensions.connection) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
               FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attnum > 0"""
        )
        return str(cursor.fetchone()[0])
