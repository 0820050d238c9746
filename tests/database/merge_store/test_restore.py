"""A merge store that is put back to what it was some batches ago: the next run catches up, and the laws hold."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Milestoning
from tests.kept_sessions import end_sessions

TABLE = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word ' || n FROM generate_series(1, 200) n;
"""
CHANGE = """
    UPDATE customers SET word = word || '!' WHERE id % 10 = 0;
    DELETE FROM customers WHERE id % 25 = 1;
    INSERT INTO customers SELECT n, 'new' FROM generate_series({0}, {0} + 5) n;
"""


def copied(database, name: str):
    """A copy of a database as it is now, as a backup that is restored under another name."""
    end_sessions([database.name])
    with closing(psycopg2.connect(database.server.dsn("postgres"))) as connection:
        connection.autocommit = True
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        with connection.cursor() as cursor:
            cursor.execute(statement.format(*map(sql.Identifier, (name, database.name, database.user))))
    return replace(database, name=name)


@pytest.mark.parametrize("kind", Milestoning)
def test_an_older_merge_store_catches_up_with_its_source(merging, kind):
    case = merging(TABLE)
    case.merge(kind)
    backup = copied(case.target, f"{case.target.name}_backup")
    for first in (1000, 2000):
        case.execute(CHANGE.format(first))
        case.merge(kind)
    assert case.current_batch(kind) == 3
    case.target = backup
    result = case.merge(kind)
    assert (result.batch_id, case.current_batch(kind)) == (2, 2)
    assert result.datasets["customers"].strategy == "version_diff"
    case.execute(CHANGE.format(3000))
    case.merge(kind)
