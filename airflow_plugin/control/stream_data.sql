-- What a stream has in the merge store, by the comments of tables, functions and views, and how it goes.

-- name: set_lock_timeout
SELECT set_config('lock_timeout', %(milliseconds)s, true)

-- name: take_stream_lock
-- The lock of a job on the stream, until the transaction ends.
SELECT pg_try_advisory_xact_lock(%(lock)s)

-- name: tables
-- Those of the login's own, each with its size and its comment, which says what it is of.
SELECT n.nspname, c.relname, pg_total_relation_size(c.oid), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
    AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind":')
ORDER BY 1, 2

-- name: functions
-- As-of functions, beside a merge table or for consumers, with the arguments that tell two of a name apart.
SELECT n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), obj_description(p.oid, 'pg_proc')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE pg_has_role(p.proowner, 'USAGE') AND starts_with(obj_description(p.oid, 'pg_proc'), '{{"kind":')
ORDER BY 1, 2, 3

-- name: views
-- Consumers' views in this database, each with a table that it reads; those in a database of their own go with
-- dagfactory views reconcile.
SELECT DISTINCT n.nspname, c.relname, obj_description(c.oid, 'pg_class'), tn.nspname, t.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r'
JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind = 'v' AND pg_has_role(c.relowner, 'USAGE')
    AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind": "consumers'' view"')
ORDER BY 1, 2

-- name: drop_table
-- Without CASCADE: what others have built on it stops this.
DROP TABLE {of}

-- name: drop_view
DROP VIEW {of}

-- name: drop_function_at_batch
DROP FUNCTION {of}(integer)

-- name: drop_function_at_time
DROP FUNCTION {of}(timestamptz)

-- name: forget
DELETE FROM {of} WHERE key = %(key)s

-- name: open_batch
SELECT batch_id FROM {metrics} WHERE key = %(key)s AND batch_status = 'ingested' ORDER BY batch_id DESC LIMIT 1

-- name: forget_maps
-- As a job does it: when the last full batch was, and what is said of strategies, stays.
UPDATE {row_maps} SET kind = NULL, guard = CASE WHEN jsonb_typeof(guard) = 'object' THEN guard - 'map' - 'cursor' END
WHERE key = %(key)s AND dataset = ANY(%(datasets)s)
