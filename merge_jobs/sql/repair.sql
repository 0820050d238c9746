-- What is repaired between batches.

-- name: index_of_table
-- Whether the table has an index of this name, in whatever state.
SELECT EXISTS (
    SELECT FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class t ON t.oid = i.indrelid
    WHERE n.nspname = %(schema)s AND c.relname = %(index)s AND t.relname = %(table)s
)

-- name: drop_index
-- It is not unique, or not valid: its building was broken off.
DROP INDEX {index}
