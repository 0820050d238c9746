"""The producer's table that is measured: fourteen columns, about 250 bytes a row, the same rows on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2

COLUMNS = {
    "id": "bigint",
    "first_name": "varchar(50)",
    "last_name": "varchar(50)",
    "email": "varchar(100)",
    "phone": "varchar(30)",
    "birth_date": "date",
    "street": "text",
    "city": "varchar(60)",
    "postcode": "varchar(10)",
    "segment": "text",
    "credit_limit": "numeric(12,2)",
    "preferences": "jsonb",
    "created_at": "timestamp with time zone",
    "updated_at": "timestamp with time zone",
}
KEY_TYPES = {"int": "bigint", "uuid": "uuid"}
KEYS = {"int": "i", "uuid": "md5(i::text)::uuid"}

# h is a number without a sign that depends on the row's number only.
ROWS = """
INSERT INTO customers
SELECT {key},
    (ARRAY['Ana', 'Bertrand', 'Chidi', 'Dörte', 'Elif', 'Farid', 'Grete', 'Hiro'])[1 + h % 8],
    initcap(substr(md5(h::text), 1, 6 + (h % 9)::int)),
    CASE WHEN h % 20 <> 0 THEN 'customer.' || i || '@' || substr(md5(i::text), 1, 12) || '.example' END,
    CASE WHEN h % 5 <> 0 THEN '+49 ' || (100 + h % 900) || ' ' || (1000000 + h % 9000000) END,
    date '1930-01-01' + (h % 28000)::int,
    initcap(substr(md5((h + 1)::text), 1, 10 + (h % 14)::int)) || ' street ' || (1 + h % 250),
    initcap(substr(md5((h % 5000)::text), 1, 8)),
    lpad((h % 100000)::text, 5, '0'),
    (ARRAY['private', 'business', 'public', 'staff'])[1 + h % 4],
    CASE WHEN h % 50 <> 0 THEN (h % 10000000) / 100.0 END,
    CASE WHEN h % 10 <> 0 THEN jsonb_build_object('newsletter', h % 2 = 0, 'language', 'de', 'score', h % 1000) END,
    timestamptz '2015-01-01 00:00+00' + (h % 300000000) * interval '1 second',
    timestamptz '2025-01-01 00:00+00' + (h % 30000000) * interval '1 second'
FROM (SELECT i, hashint8extended(i, 7) & 9007199254740991 AS h FROM generate_series({first}, {last}) i) numbered
"""

# Which rows a round touches: anywhere in the table, or side by side.
CHOSEN = {
    "scattered": "SELECT ctid FROM customers ORDER BY hashtextextended(id::text, %(round)s), id LIMIT %(rows)s",
    "clustered": """
        SELECT ctid FROM customers
        WHERE ctid >= format('(%%s,1)', pg_relation_size('customers') / 8192 * (%(round)s * 7 %% 10) / 12)::tid
        LIMIT %(rows)s""",
}
CHOOSE = """
CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS
SELECT ctid AS row, row_number() OVER () <= %(deleted)s AS gone FROM ({chosen}) c
"""
DELETE = "DELETE FROM customers c USING chosen WHERE c.ctid = chosen.row AND gone"
UPDATE = """
UPDATE customers c SET credit_limit = coalesce(credit_limit, 0) + 1, segment = 'changed ' || %(round)s,
    updated_at = updated_at + interval '1 day'
FROM chosen WHERE c.ctid = chosen.row AND NOT gone
"""


@dataclass(frozen=True)
class Changes:
    """How many rows a round changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass
class Customers:
    """The table in the database of `dsn`, and how far its numbering has come."""

    dsn: str
    keys: str
    last: int = 0
    rounds: int = 0

    def create(self, rows: int) -> int:
        """Make and fill the table; gives back its bytes a row."""
        types = {**COLUMNS, "id": KEY_TYPES[self.keys]}
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        connection = psycopg2.connect(self.dsn)
        try:
            connection.autocommit = True  # VACUUM runs in no transaction
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE TABLE customers ({columns}, PRIMARY KEY (id))")
                self._insert(cursor, rows)
                cursor.execute("VACUUM (ANALYZE) customers")
                cursor.execute("SELECT pg_relation_size('customers') / %s", (rows,))
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    def change(self, rows: int, where: str) -> Changes:
        """Update 1 %, delete .5 % and insert .5 % of `rows`, `where` being scattered or clustered; committed."""
        self.rounds += 1
        changes = Changes(inserted=max(rows // 200, 1), updated=max(rows // 100, 1), deleted=max(rows // 200, 1))
        values = {"round": self.rounds, "rows": changes.updated + changes.deleted, "deleted": changes.deleted}
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(CHOOSE.format(chosen=CHOSEN[where]), values)
                done = [_count(cursor, statement, values) for statement in (DELETE, UPDATE)]
                assert done == [changes.deleted, changes.updated], done
                self._insert(cursor, changes.inserted)
        finally:
            connection.close()
        return changes

    def _insert(self, cursor: psycopg2.extensions.cursor, rows: int) -> None:
        first, self.last = self.last + 1, self.last + rows
        cursor.execute(ROWS.format(key=KEYS[self.keys], first=first, last=self.last))


def _count(cursor: psycopg2.extensions.cursor, statement: str, values: dict[str, int]) -> int:
    cursor.execute(statement, values)
    return cursor.rowcount
