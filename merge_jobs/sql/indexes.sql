-- Indexes on merge tables for their readers, as the model has them.

-- name: existing
-- Of these tables, by our comments: name, table, whether it is whole.
SELECT c.relname, t.relname, i.indisvalid, obj_description(c.oid, 'pg_class')
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = %(schema)s AND t.relname = ANY (%(tables)s) AND pg_has_role(t.relowner, 'USAGE')

-- name: create
-- Readers go on; the stream's own batches are the only ones that write, and they wait for nothing here.
CREATE INDEX {index} ON {merge} USING {method} ({indexed}){condition}

-- name: comment
COMMENT ON INDEX {index} IS {comment}

-- name: drop
DROP INDEX {index}
