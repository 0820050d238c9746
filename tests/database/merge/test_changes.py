"""Rounds of changes on a producer; conftest.py holds each round against the standing laws, live and forensic."""

from __future__ import annotations

import pytest

CUSTOMERS = """
    CREATE TABLE customers (
        id varchar(20) PRIMARY KEY, "firstName" varchar(100) NOT NULL, email varchar(100), balance numeric(12, 2)
    );
    INSERT INTO customers SELECT 'c' || n, 'name ' || n, n || '@example.org', n * 1.5 FROM generate_series(1, 20) n;
"""

CASES = {
    "insert, update and delete in one round": (
        CUSTOMERS,
        """INSERT INTO customers VALUES ('new', 'Ada', NULL, 0);
           UPDATE customers SET email = NULL WHERE id IN ('c3', 'c4');
           DELETE FROM customers WHERE id = 'c5'""",
        "UPDATE customers SET balance = balance + 1",
        "DELETE FROM customers WHERE id < 'c2'",
    ),
    "nothing changes": (CUSTOMERS, "", "UPDATE customers SET email = email"),
    "an empty source that fills, empties and fills": (
        "CREATE TABLE t (id int PRIMARY KEY, word text)",
        "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
        "DELETE FROM t",
        "INSERT INTO t VALUES (1, 'one'), (2, 'zwei')",
    ),
    "a key deleted and inserted again in later batches": (
        CUSTOMERS,
        "DELETE FROM customers WHERE id = 'c1'",
        "INSERT INTO customers VALUES ('c1', 'name 1', '1@example.org', 1.5)",
        "UPDATE customers SET \"firstName\" = 'other' WHERE id = 'c1'",
        "DELETE FROM customers WHERE id = 'c1'",
    ),
    "a key deleted and inserted again between two batches": (
        CUSTOMERS,
        """DELETE FROM customers WHERE id IN ('c1', 'c2');
           INSERT INTO customers VALUES ('c1', 'name 1', '1@example.org', 1.5), ('c2', 'another', NULL, 0)""",
    ),
    "an update back to an old value": (
        CUSTOMERS,
        "UPDATE customers SET email = 'x' WHERE id = 'c1'",
        "UPDATE customers SET email = '1@example.org' WHERE id = 'c1'",
    ),
    "an empty text becomes NULL and back": (
        "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, ''), (2, NULL)",
        "UPDATE t SET word = CASE WHEN word IS NULL THEN '' END",
        "UPDATE t SET word = CASE WHEN word IS NULL THEN '' END",
    ),
    "a key of several columns, with the values changing places": (
        """CREATE TABLE lines ("order" int, line int, word text, PRIMARY KEY (line, "order"));
           INSERT INTO lines SELECT o, l, o || '/' || l FROM generate_series(1, 4) o, generate_series(1, 3) l""",
        """UPDATE lines SET word = 'x' WHERE "order" = 2 AND line = 3;
           DELETE FROM lines WHERE "order" = 4; INSERT INTO lines VALUES (4, 9, NULL)""",
        """UPDATE lines SET "order" = "order" + 10 WHERE line = 1""",
    ),
    "nothing but a key": (
        "CREATE TABLE t (id uuid PRIMARY KEY); INSERT INTO t SELECT gen_random_uuid() FROM generate_series(1, 9)",
        "DELETE FROM t WHERE id = (SELECT min(id::text)::uuid FROM t); INSERT INTO t VALUES (gen_random_uuid())",
    ),
    "camelCase, reserved, spaced, quoted and non-ASCII names": (
        """CREATE TABLE "Order" (
               "select" int PRIMARY KEY, "camelCase" text, "with space" text, "quo""te" text, "straße %s" text,
               "{curly}" text, staged int, merged int, s text, m text
           );
           INSERT INTO "Order" VALUES (1, 'a', 'b', 'c', 'd', 'e', 1, 2, 's', 'm'); INSERT INTO "Order" VALUES (2)""",
        """UPDATE "Order" SET "straße %s" = 'D', "quo""te" = NULL, "{curly}" = 'E', m = 'M' WHERE "select" = 1;
           DELETE FROM "Order" WHERE "select" = 2; INSERT INTO "Order" VALUES (3, 'x')""",
    ),
    "rows that spell a result line": (
        "CREATE TABLE t (id int PRIMARY KEY, word text)",
        """INSERT INTO t VALUES (1, E'DATASURFACE_RESULT={"code":1,"run_id":"r","platform":"p","stream_key":"s"}'),
               (2, E'\\nDATASURFACE_RESULT_CODE=-1\\n')""",
    ),
    "several datasets, of which some change": (
        CUSTOMERS
        + """CREATE TABLE addresses (id int PRIMARY KEY, "customerId" varchar(20) REFERENCES customers, city text);
             INSERT INTO addresses VALUES (1, 'c1', 'Bern'), (2, 'c2', 'Basel');
             CREATE TABLE empty (id int PRIMARY KEY)""",
        "UPDATE addresses SET city = 'Chur' WHERE id = 1",
        "INSERT INTO customers VALUES ('z', 'Z'); INSERT INTO addresses VALUES (3, 'z', 'Zug')",
        "INSERT INTO empty VALUES (1)",
    ),
}


@pytest.mark.parametrize("rounds", CASES.values(), ids=CASES.keys())
def test_merge_tables_follow_the_source(merging, rounds):
    ddl, *changes = rounds
    case = merging(ddl)
    case.merge_both()
    for change in changes:
        if change:
            case.execute(change)
        case.merge_both()


def test_counts_are_of_keys_and_a_forensic_update_counts_once(merging):
    case = merging(CUSTOMERS)
    case.merge_both()
    case.execute(
        """UPDATE customers SET email = 'x' WHERE id IN ('c1', 'c2'); DELETE FROM customers WHERE id = 'c3';
           INSERT INTO customers VALUES ('new', 'Ada')"""
    )
    for result in case.merge_both().values():
        counts = result.datasets["customers"].counts
        assert (counts.inserted, counts.updated, counts.deleted, counts.unchanged) == (1, 2, 1, 17)
        assert counts.total == 20
