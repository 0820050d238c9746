-- What a shadow has in the merge store, and how it goes: a trial beside a static DAG, with tables of its own.

-- name: set_lock_timeout
SELECT set_config('lock_timeout', %(milliseconds)s, true)

-- name: tables
-- Each with its comment, which says whose it is.
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind":')
ORDER BY 1

-- name: functions
-- Those that give a forensic table as it was, with the arguments that tell two of a name apart.
SELECT p.proname, pg_get_function_identity_arguments(p.oid), obj_description(p.oid, 'pg_proc')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s AND starts_with(obj_description(p.oid, 'pg_proc'), '{{"kind":')
ORDER BY 1, 2

-- name: drop_table
DROP TABLE {of}

-- name: drop_function_at_batch
DROP FUNCTION {of}(integer)

-- name: drop_function_at_time
DROP FUNCTION {of}(timestamptz)

-- name: forget
DELETE FROM {of} WHERE key = %(key)s
