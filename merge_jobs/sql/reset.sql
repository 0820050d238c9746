-- What a reset of a batch takes away.

-- name: tables_of_ours
-- Those of the login's own, each with its comment, which says what it is of: also of datasets that have left the model.
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
    AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind":')
ORDER BY 1
