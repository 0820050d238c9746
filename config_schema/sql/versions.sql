-- The version of a platform's tables; see versions.py and upgrade.py. Both Airflow's side and jobs run these.

-- name: whose
-- The tables that are there, and whether each is another's: its owner has neither the login's rights nor all that the
-- login has, and the login is one that makes tables. Asked before they are read: what stands under the name may be a
-- view, or have columns and policies whose functions are called with the rights of whoever reads it.
SELECT c.relname::text, NOT pg_has_role(c.relowner, 'USAGE') AND NOT pg_has_role(c.relowner, current_user, 'USAGE')
    AND has_schema_privilege(n.oid, 'CREATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[])

-- name: standing
-- Which tables are there, which migrations they have, and which tables are another's, if the login is one that makes
-- tables.
SELECT ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[])),
       ARRAY(SELECT json_build_array(number, name, checksum, older_may_run)
             FROM {schema}.{versions} WHERE part = %(part)s ORDER BY number),
       ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[] || %(versions)s::text)
                 AND NOT pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'))

-- name: without_versions
-- The same where there is no table of versions.
SELECT ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[])), ARRAY[]::json[],
       ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[])
                 AND NOT pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'))

-- name: lock
-- Nobody else changes the platform's tables until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('dagfactory versions ' || %(schema)s || '.' || %(platform)s, 0))

-- name: short_lock_timeout
-- Whoever asks for a table while another waits for it alone waits behind that one: so it is asked for a moment only.
SET LOCAL lock_timeout = '1s'

-- name: create_versions
CREATE TABLE IF NOT EXISTS {schema}.{versions} (
    number integer PRIMARY KEY,
    part text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    older_may_run boolean NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT statement_timestamp()
)

-- name: record
-- A migration that is run again, because a table was lost, keeps the time of its first run.
INSERT INTO {schema}.{versions} (number, part, name, checksum, older_may_run)
VALUES (%(number)s, %(part)s, %(name)s, %(checksum)s, %(older_may_run)s)
ON CONFLICT (number) DO NOTHING
