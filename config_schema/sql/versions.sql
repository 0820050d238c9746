-- The version of a platform's tables; see versions.py and upgrade.py. Both Airflow's side and jobs run these.

-- name: table_owners
-- The tables that are there, whether each is another's (the login, if it is one that makes tables, neither owns it nor
-- owns it through a role), and whether it is a stranger's: its owner has not all that the login has either, and owns
-- neither the schema nor the database. A component's login (component_logins.py) makes no tables, though it may where
-- everybody may create, as up to PostgreSQL 14 by default. Asked before they are read: what stands under the name may
-- be a view, or have columns and policies whose functions are called with the rights of whoever reads it. Where `surely`,
-- a login makes tables only if it owns something in the schema, or may create there by more than what everybody may.
SELECT c.relname::text, makes.tables AND NOT pg_has_role(c.relowner, 'USAGE'),
    makes.tables AND NOT pg_has_role(c.relowner, 'USAGE') AND NOT pg_has_role(c.relowner, current_user, 'USAGE')
        AND c.relowner <> n.nspowner AND c.relowner <> d.datdba
        AND (NOT %(surely)s
            OR EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
                       WHERE a.privilege_type = 'CREATE' AND a.grantee <> 0 AND pg_has_role(a.grantee, 'USAGE'))
            OR EXISTS (SELECT FROM pg_class o WHERE o.relnamespace = n.oid AND pg_has_role(o.relowner, 'USAGE')))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database()
CROSS JOIN LATERAL (
    SELECT has_schema_privilege(n.oid, 'CREATE')
        AND coalesce(shobj_description(r.oid, 'pg_authid'), '') NOT LIKE '_"kind": "component login"%%'
    FROM pg_roles r WHERE r.rolname = current_user
) makes (tables)
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[])

-- name: raise_if_absent
-- The server's own error where there is no such table, by a statement that calls nothing of a table that has just come.
SELECT %(table)s::regclass

-- name: applied
-- The migrations that a part's tables have.
SELECT number, name, checksum, older_may_run FROM {schema}.{versions} WHERE part = %(part)s ORDER BY number

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
