-- What doctor asks a merge store. Reads only.

-- name: server
SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery()

-- name: in_tls
-- Whether the server itself is reached in TLS; a proxy may have that with us, or with the server, alone.
SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()

-- name: tables
-- Each of the tables that are there, and what the user may do with it.
SELECT c.relname, has_table_privilege(c.oid, 'SELECT'),
       has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND c.relkind IN ('r', 'p', 'v', 'f', 'm')
