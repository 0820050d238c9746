-- What is asked of a producer's PostgreSQL. It needs no more than SELECT on the tables.

-- name: relation
-- LOCK TABLE wants the right to read the whole table, and takes plain and partitioned tables and views.
SELECT c.relkind, has_table_privilege(c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')

-- name: relations
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1

-- name: lock_tables
-- TRUNCATE and rewrites are not safe under an older snapshot: it would then see an empty table.
LOCK TABLE {tables} IN ACCESS SHARE MODE

-- name: hold_table
-- Reads no row; whoever may read one column may do it, and it locks what LOCK TABLE would, but after the snapshot.
SELECT FROM {table} LIMIT 0

-- name: read_nothing
-- Wants the same rights as a read of all rows.
SELECT {columns} FROM {table} LIMIT 0

-- name: rewritten
-- Whether any table that is locked by now has another file than the snapshot saw, or was not there then.
SELECT EXISTS (
    SELECT FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (c.oid IS NULL OR c.relfilenode <> 0 AND c.relfilenode <> pg_relation_filenode(c.oid))
)

-- name: made_of_materialized_views
-- Views that read a materialized view, through other views too.
WITH RECURSIVE part (dataset, oid, relkind) AS (
    SELECT c.relname, c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s) AND c.relkind = 'v'
    UNION
    SELECT p.dataset, u.oid, u.relkind
    FROM part p JOIN pg_rewrite r ON r.ev_class = p.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class u ON u.oid = d.refobjid AND u.relkind IN ('v', 'm')
    WHERE p.relkind = 'v'
)
SELECT DISTINCT dataset FROM part WHERE relkind = 'm'

-- name: columns
-- Binary is the same everywhere for types with a fixed oid that have both functions; reg* types hold oids of objects.
-- From 17 on an interval can be infinite, which older servers take for a number.
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
    t.oid < 10000::oid AND t.typsend::oid <> 0::oid AND t.typreceive::oid <> 0::oid AND t.typname !~ '^_?reg'::text
        AND NOT (t.typname ~ '^_?interval$'::text AND pg_catalog.current_setting('server_version_num')::integer >= 170000)
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: types_known
-- Which types of the merge store the source has too. Types of the merge store's own refuse what they do not hold.
SELECT name, pg_catalog.to_regtype(type) IS NOT NULL FROM unnest(%(names)s::text[], %(types)s::text[]) AS model (name, type)

-- name: count_misfits
-- Values that a column of the merge store would hold otherwise.
SELECT pg_catalog.count(*) FROM {table} WHERE {column} IS NOT NULL AND NOT ({fits})

-- name: estimated_rows
-- As ANALYZE or VACUUM has left it; nothing for a view, or a table that neither has seen.
WITH RECURSIVE tree AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
    UNION
    SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
    WHERE NOT coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
)
SELECT sum(c.reltuples)::bigint FROM tree t JOIN pg_class c ON c.oid = t.oid
WHERE c.relkind IN ('r', 'm', 'f') AND c.reltuples > 0

-- name: before_a_copy
SAVEPOINT before_a_copy

-- name: after_a_copy
-- The snapshot stays, and the locks on the tables, which are older.
ROLLBACK TO SAVEPOINT before_a_copy

-- name: copy_out
COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT {format})

-- name: copy_since
-- The rows that have changed since a value of the cursor's column, and those without a value.
COPY (
    SELECT {columns} FROM {table}
    WHERE {cursor} IS NULL OR ({cursor} OPERATOR(pg_catalog.>=) {at_least}{without_ties})
) TO STDOUT (FORMAT {format})

-- name: copy_keys
COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT {format})
