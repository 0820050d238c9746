-- A dataset's staging and merge table, whatever the milestoning.

-- name: types_known
-- The types of the model, as PostgreSQL reads them: whatever is no type comes back as NULL or is an error.
SELECT name, to_regtype(type) IS NOT NULL FROM unnest(%(names)s, %(types)s) AS model (name, type)

-- name: type_in_sight
-- A type of an extension, by the role's own search_path; with nothing that another schema could stand in for.
SET LOCAL search_path TO DEFAULT;
SELECT pg_catalog.to_regtype(%(type)s)::pg_catalog.oid::pg_catalog.int8

-- name: schemas_of_type
-- Of the type, unless it was named with one, and of the operator that its indexes find equal values by. An array has
-- the equality of all arrays. And whether the type was made by whom the login trusts anyway: a domain's check is called
-- by who writes a value. Who may create in the database may make some extensions, and put a type of theirs into them.
SELECT CASE WHEN n.nspname <> 'pg_catalog' AND to_regtype(%(text)s) IS NULL THEN quote_ident(n.nspname) END,
    (SELECT quote_ident(s.nspname) FROM pg_opclass c
     JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
     JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amoplefttype = t.oid AND a.amoprighttype = t.oid
         AND a.amopstrategy = 3
     JOIN pg_operator o ON o.oid = a.amopopr
     JOIN pg_namespace s ON s.oid = o.oprnamespace
     WHERE c.opcintype = t.oid AND c.opcdefault AND s.nspname <> 'pg_catalog'),
    pg_has_role(t.typowner, 'USAGE') OR t.typowner = n.nspowner
        OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = t.typowner AND r.rolsuper)
        OR EXISTS (SELECT FROM pg_database d WHERE d.datname = current_database() AND d.datdba = t.typowner)
        OR EXISTS (SELECT FROM pg_depend e JOIN pg_extension x ON x.oid = e.refobjid
                   WHERE e.classid = 'pg_type'::regclass AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e'
                       AND e.objid IN (t.oid, t.typelem) AND x.extowner <> t.typowner)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = %(type)s

-- name: describe
-- The columns of a table as they are, its comment, and whether the login owns it, by itself or by a role.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), obj_description(c.oid, 'pg_class'),
    pg_has_role(c.relowner, 'USAGE')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %(schema)s AND c.relname = %(table)s
ORDER BY a.attnum

-- name: key_index_stands
SELECT EXISTS (
    SELECT FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class t ON t.oid = i.indrelid
    WHERE n.nspname = %(schema)s AND c.relname = %(index)s AND t.relname = %(table)s
        AND i.indisunique AND i.indisvalid
)

-- name: create_staging
-- Unlogged and without an index: it is read once, in whole.
CREATE UNLOGGED TABLE {staging} (
    {definitions}
) WITH (autovacuum_enabled = false)

-- name: comment_staging
COMMENT ON TABLE {staging} IS {comment}

-- name: comment_merge_table
COMMENT ON TABLE {merge} IS {comment}

-- name: copy_all_to_staging
-- FREEZE: the comparison, which reads it once, need not mark each row as committed.
COPY {staging} ({columns}) FROM STDIN (FORMAT {format}, FREEZE)

-- name: copy_to_staging
COPY {staging} ({columns}) FROM STDIN (FORMAT {format})

-- name: copy_to_new_merge_table
-- FREEZE: the table was made in this transaction, so its rows need no later visit by VACUUM.
COPY {merge} ({columns}) FROM STDIN (FORMAT {format}, FREEZE)

-- name: keys_are_not_null
ALTER TABLE {merge} {keys_not_null}

-- name: analyze_merge_table
-- Of the key only, which is all that a batch asks of the planner: the rest is left to autovacuum.
ANALYZE {merge} ({key})

-- name: count_staged
SELECT count(*) FROM {staging}

-- name: work_memory_for_staging
-- For a hash of the staged rows, within limits.
SELECT set_config('work_mem', least(greatest((pg_table_size(c.oid) * 1.3)::bigint, %(least)s), %(most)s) / 1024 || 'kB', true)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s AND c.relname = %(table)s

-- name: work_memory
SELECT set_config('work_mem', %(memory)s, true)

-- name: index_memory
SELECT set_config('maintenance_work_mem', %(memory)s, true)

-- name: before_comparisons
SAVEPOINT before_comparisons

-- name: back_to_before_comparisons
-- One of several comparisons has failed: they are made one by one, so that the error says which.
ROLLBACK TO SAVEPOINT before_comparisons

-- name: lock_merge_table
-- Readers go on; no other writer, and no VACUUM, moves a row while we know rows by their ctid.
LOCK TABLE {merge} IN SHARE ROW EXCLUSIVE MODE

-- name: analyze_delta
-- Without its size the planner takes a nested loop for a delta of any size.
ANALYZE {delta}

-- name: measure_delta
SELECT count(*) FILTER (WHERE merged IS NULL),
       count(*) FILTER (WHERE staged IS NOT NULL AND merged IS NOT NULL),
       count(*) FILTER (WHERE staged IS NULL)
FROM {delta}

-- name: go_by_address
-- By addresses and keys of the few rows that matter, whatever the planner thinks of their number.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)

-- name: keep_gone
-- Rows that the source has lost stay, where the model wants that.
UPDATE {merge} m SET ds_deleted_in = %(batch_id)s{ends_with_batch} FROM {delta} d WHERE m.ctid = d.merged AND d.staged IS NULL

-- name: go_as_planned
SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT

-- name: drop_delta
DROP TABLE {delta}

-- name: keys_savepoint
SAVEPOINT before_keys

-- name: back_to_keys_savepoint
ROLLBACK TO SAVEPOINT before_keys

-- name: duplicate_keys
-- A bounded sample, with the number of all of them.
SELECT {key_as_json}, count(*), count(*) OVER () FROM {table} GROUP BY {key}
HAVING count(*) > 1 ORDER BY 2 DESC LIMIT %(limit)s

-- name: null_keys
SELECT {key_as_json}, count(*), sum(count(*)) OVER () FROM {table} WHERE {a_key_is_null} GROUP BY {key}
ORDER BY 2 DESC LIMIT %(limit)s

-- name: duplicates_query
-- By what the merge store takes for one key: text by its bytes, citext without its case.
SELECT {compared_key}, count(*) FROM {source} GROUP BY {compared_key} HAVING count(*) > 1

-- name: nulls_query
SELECT * FROM {source} WHERE {a_key_is_null}
