-- Staging tables and row maps that no batch needs any more.

-- name: existing_tables
-- What stands under the names, with its comment where it is the login's own: only the owner's word says whose it is.
SELECT c.relname, CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN obj_description(c.oid, 'pg_class') END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(names)s)

-- name: maps_in_use
-- A map under another name than the usual one has its name, and its kind, in the guard.
SELECT dataset, guard -> 'map' ->> 'table' FROM {row_maps}
WHERE key = %(key)s AND (kind IS NOT NULL OR guard -> 'map' IS NOT NULL)

-- name: do_not_wait
-- A lock that another session holds is not waited for: whoever asks after us would wait behind us.
SET LOCAL lock_timeout = '1ms'

-- name: drop
DROP TABLE {tables}

-- name: rename_map
ALTER TABLE {map} RENAME TO {usual}

-- name: map_has_its_usual_name
UPDATE {row_maps} SET kind = guard -> 'map' ->> 'kind', guard = CASE WHEN guard ? 'behind'
    THEN jsonb_set(guard, ARRAY['map'], jsonb_build_object('table', %(usual)s)) ELSE guard - 'map' END
WHERE key = %(key)s AND dataset = %(dataset)s

-- name: readers
-- Who holds a lock on the tables.
SELECT string_agg(DISTINCT format('pid %%s (%%s)', l.pid, coalesce(nullif(a.application_name, ''), 'no name')), ', ')
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND n.nspname = %(schema)s AND c.relname = ANY(%(names)s)
