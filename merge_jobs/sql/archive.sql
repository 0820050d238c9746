-- Tables of retired streams: moved with their rows and indexes to a schema of their own, and back.

-- name: retired_streams
-- The row's last change is its retirement: what came after it stands in the history only.
SELECT stream_key FROM {streams}
WHERE status = 'retired' AND updated_at <= statement_timestamp() - make_interval(days => %(days)s)
ORDER BY stream_key COLLATE "C"

-- name: wait_for_locks
SELECT set_config('lock_timeout', %(timeout)s, true)

-- name: take_lock
-- The lock of a job on the stream, until the transaction ends.
SELECT pg_try_advisory_xact_lock(%(lock)s)

-- name: tables_of_ours
-- Those of the login's own, each with its size and its comment, which says what it is of.
SELECT c.relname, pg_total_relation_size(c.oid), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
    AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind":')
ORDER BY 1

-- name: schema_comment
-- Who owns a schema can drop what is in it, so only its owner's word counts.
SELECT coalesce(CASE WHEN pg_has_role(nspowner, 'USAGE') THEN obj_description(oid, 'pg_namespace') END, '')
FROM pg_namespace WHERE nspname = %(schema)s

-- name: create_schema
CREATE SCHEMA {archive};
COMMENT ON SCHEMA {archive} IS {comment}

-- name: move
ALTER TABLE {table} SET SCHEMA {schema}

-- name: drop
DROP TABLE {table}
