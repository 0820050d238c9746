-- What doctor asks a merge store. Reads only.

-- name: server
SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery()

-- name: room_for_wal
-- In bytes: the database, how much WAL there is before a checkpoint, and what waits in memory to be written to it.
SELECT pg_database_size(current_database()), pg_size_bytes(current_setting('max_wal_size')),
    pg_size_bytes(current_setting('wal_buffers'))

-- name: in_tls
-- Whether the server itself is reached in TLS; a proxy may have that with us, or with the server, alone.
SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()

-- name: tables
-- Each of the tables that are there, and what the user may do with it.
SELECT c.relname, has_table_privilege(c.oid, 'SELECT'),
       has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND c.relkind IN ('r', 'p', 'v', 'f', 'm')

-- name: rights_of_public
-- Whether everybody may make temporary tables and functions in the database, or tables and functions in the schema.
SELECT current_database()::text,
       EXISTS (SELECT FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
               WHERE d.datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'TEMPORARY'),
       EXISTS (SELECT FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
               WHERE n.nspname = %(schema)s AND a.grantee = 0 AND a.privilege_type = 'CREATE')

-- name: login
-- Who this session is: whether it may do more than what is granted, or is the owner of one of the tables, and which
-- of the roles there are.
SELECT current_user::text, rolsuper OR rolcreaterole OR rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND pg_has_role(c.relowner, 'USAGE')),
       ARRAY(SELECT r.rolname::text FROM unnest(%(roles)s::text[], %(comments)s::text[]) AS ours (role, comment)
             JOIN pg_roles r ON r.rolname = ours.role AND shobj_description(r.oid, 'pg_authid') = ours.comment)
FROM pg_roles WHERE rolname = current_user

-- name: has_revisions
-- Whether changes of rows are noted, for the bundle: false where the table for that is there, and its trigger missing or disabled.
SELECT to_regclass(%(revisions)s) IS NULL
    OR EXISTS (SELECT FROM pg_trigger
               WHERE tgrelid = to_regclass(%(table)s) AND tgname = %(trigger)s AND tgenabled IN ('O', 'A'))
