"""The truth that the benchmark holds a merge table against."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from tests.benchmarks.customers import COLUMNS, Changes, Customers
from tests.benchmarks.plain import digest, raw_copy_seconds


@pytest.fixture
def customers(new_database):
    database = new_database("bench")
    made = Customers(database.dsn, "int")
    made.create(400)
    return made


def execute(dsn, statement):
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_the_same_rows_in_another_order_have_the_same_digest(customers):
    execute(customers.dsn, "CREATE TABLE other AS SELECT * FROM customers ORDER BY last_name DESC")
    assert digest(customers.dsn, "other", COLUMNS) == digest(customers.dsn, "customers", COLUMNS)


@pytest.mark.parametrize(
    "difference",
    [
        "DELETE FROM other WHERE id = 7",
        "INSERT INTO other SELECT * FROM other WHERE id = 7",
        "UPDATE other SET id = 7 WHERE id = 8",
        "UPDATE other SET credit_limit = credit_limit + 0.01 WHERE id = 7",
        "UPDATE other SET email = '' WHERE email IS NULL",
        "UPDATE other SET updated_at = updated_at + interval '1 microsecond' WHERE id = 7",
        "UPDATE other SET preferences = '{}' WHERE id = 7",
        "UPDATE other SET first_name = last_name, last_name = first_name WHERE id = 7",
        "DELETE FROM other WHERE id = 8; INSERT INTO other SELECT * FROM other WHERE id = 7",
    ],
)
def test_another_row_gives_another_digest(customers, difference):
    execute(customers.dsn, "CREATE TABLE other AS SELECT * FROM customers")
    execute(customers.dsn, difference)
    assert digest(customers.dsn, "other", COLUMNS) != digest(customers.dsn, "customers", COLUMNS)


@pytest.mark.parametrize("keys", ["int", "uuid"])
def test_the_rows_are_the_same_on_every_machine(new_database, keys):
    made = [Customers(new_database("bench").dsn, keys) for _ in range(2)]
    for customers in made:
        customers.create(300)
        customers.change(300, "scattered")
    one, other = (digest(customers.dsn, "customers", COLUMNS) for customers in made)
    assert one == other
    assert one[0] == 300


@pytest.mark.parametrize("where", ["scattered", "clustered"])
def test_a_round_changes_as_many_rows_as_it_says(customers, where):
    for _ in range(12):
        execute(customers.dsn, "DROP TABLE IF EXISTS before; CREATE TABLE before AS SELECT * FROM customers")
        said = customers.change(400, where)
        (found,) = execute(
            customers.dsn,
            """SELECT count(*) FILTER (WHERE b.id IS NULL), count(*) FILTER (WHERE b::text <> c::text),
                      count(*) FILTER (WHERE c.id IS NULL)
               FROM before b FULL JOIN customers c USING (id)""",
        )
        assert Changes(*found) == said


def test_a_raw_copy_leaves_nothing_behind(customers, new_database):
    target = new_database("copy")
    assert raw_copy_seconds(customers.dsn, target.dsn, COLUMNS) > 0
    assert execute(target.dsn, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
