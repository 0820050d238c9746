-- What a reset of a batch takes away.

-- name: tables_of_ours
-- Each with its comment, which says whose it is: also those of datasets that have left the model.
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind":')
ORDER BY 1
