"""A schema with a double of everything in pg_catalog that fails: it shows which names a search_path decides."""

from __future__ import annotations

from contextlib import closing

import psycopg2

SCHEMA = "hostile"
PATH = f"{SCHEMA}, public, pg_catalog"

# A function for each of PostgreSQL's, under its name and for its types; of those that take any type, for some of them,
# as these would be preferred to PostgreSQL's own wherever they stand in a search_path; so would an operator be for two
# types for which PostgreSQL has it by converting one of them.
DOUBLES = """
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
DO $do$
DECLARE
    of record;
    body text := $$ BEGIN RAISE EXCEPTION 'a double in another schema was called'; END $$;
BEGIN
    FOR of IN
        SELECT DISTINCT p.proname, signature.types FROM pg_proc p CROSS JOIN LATERAL (
            SELECT string_agg(format_type(CASE WHEN a.type = '"any"'::regtype THEN given.type ELSE a.type END, NULL),
                              ', ' ORDER BY a.place) AS types
            FROM unnest(ARRAY['text', 'name', 'oid', 'int4', 'int8', 'bool', 'tid', 'regclass']::regtype[]) given (type)
            LEFT JOIN unnest(p.proargtypes::oid[]) WITH ORDINALITY a (type, place) ON true
            GROUP BY given.type
        ) signature
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (
            SELECT FROM unnest(p.proargtypes::oid[]) a (type) JOIN pg_type t ON t.oid = a.type
            WHERE t.typtype = 'p' AND t.typname !~ '^any' AND t.typname <> 'record'
        ) AND NOT 'record'::regtype = ANY (p.proargtypes::oid[])
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS boolean LANGUAGE plpgsql AS %L',
                of.proname, of.types, body);
        EXCEPTION WHEN invalid_function_definition OR feature_not_supported THEN NULL;
        END;
    END LOOP;
    FOR of IN
        SELECT oprname, format_type(oprleft, NULL) AS one, format_type(oprright, NULL) AS other,
            row_number() OVER () AS number
        FROM (
            SELECT oprname::text, oprleft, oprright FROM pg_operator
            WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0
                AND 'record'::regtype <> ALL (ARRAY[oprleft, oprright])
            UNION
            SELECT name, one, other FROM unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '+', '-', '||', '~', '!~']) name,
                unnest(ARRAY['text', 'name', 'varchar', '"char"', 'oid', 'regproc', 'regclass', 'int2', 'int4', 'int8',
                    'jsonb', 'interval', 'timestamptz']::regtype[]) one,
                unnest(ARRAY['text', 'name', 'varchar', '"char"', 'oid', 'regproc', 'regclass', 'int2', 'int4', 'int8',
                    'jsonb', 'interval', 'timestamptz']::regtype[]) other
        ) every
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.operator_%s(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L',
            of.number, of.one, of.other, body);
        EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.operator_%s)',
            of.oprname, of.one, of.other, of.number);
    END LOOP;
    FOR of IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE TABLE hostile.%I ()', of.relname);
    END LOOP;
    FOR of IN
        SELECT t.typname FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b'
            AND t.typname !~ '^_' AND to_regtype(format('hostile.%I', t.typname)) IS NULL
    LOOP
        EXECUTE format('CREATE DOMAIN hostile.%I AS pg_catalog.int4 CHECK (false)', of.typname);
    END LOOP;
    BEGIN
        CREATE COLLATION hostile."C" (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    EXCEPTION WHEN feature_not_supported THEN NULL;  -- a PostgreSQL without ICU
    END;
    EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA hostile TO PUBLIC';
END $do$
"""


def add_doubles(superuser_dsn: str) -> None:
    """Make the schema in the database of the DSN. It takes a second or two."""
    with closing(psycopg2.connect(superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(DOUBLES)
