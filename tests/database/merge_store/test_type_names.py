"""The types that a model's columns may have are those that a real PostgreSQL has."""

from __future__ import annotations

from config_schema.model.sql_types import KNOWN_TYPES, WITHOUT_ORDER, base_type

# Of PostgreSQL itself, of rows of its catalogue: no table of a producer has them.
INTERNAL = {"aclitem", "gtsvector", "int2vector", "oidvector", "refcursor", "cid", "tid", "gbtreekey4"}
TYPES = """
    SELECT format_type(t.oid, NULL), EXISTS (SELECT FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
        WHERE a.amname = 'btree' AND c.opcintype = t.oid AND c.opcdefault)
    FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
        AND t.typcategory <> 'A' AND t.typname NOT LIKE 'reg%' AND t.typname NOT LIKE 'pg\\_%'
"""


def test_every_type_that_postgresql_comes_with_is_known_and_so_is_whether_it_has_an_order(new_database):
    database = new_database("types")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(TYPES)
        rows = [(name, ordered) for name, ordered in cursor.fetchall() if name not in INTERNAL and '"' not in name]
    connection.close()
    assert {name for name, _ in rows if base_type(name) not in KNOWN_TYPES} == set()
    plain = {"character varying", "cidr"} | {name for name, _ in rows if "range" in name}  # by another type's operators
    assert {name for name, ordered in rows if ordered is (name in WITHOUT_ORDER)} - plain == set()
