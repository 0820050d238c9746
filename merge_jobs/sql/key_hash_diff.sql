-- Key-hash diff, for what has no row versions of its own: views, foreign tables and the like. The source hashes each
-- row; rows whose hash is as it was are not read. A row is known by its hash on both sides, so that no server ever
-- writes a value again that another one wrote. First the source's side, then the merge store's.

-- name: hashes
-- Of the source. A record's hash tells NULL from an empty string, and where a column ends.
COPY (SELECT pg_catalog.hash_record_extended(ROW({hashed}), 0), {key} FROM (SELECT {columns} FROM {table} OFFSET 0) r)
TO STDOUT (FORMAT {format})

-- name: rows
-- Of the source: the rows that have one of these hashes. OFFSET 0: a column of a view is computed once for a row, so
-- that the row that is sent is the row that was hashed.
COPY (
    SELECT {selected} FROM (SELECT {columns} FROM {table} OFFSET 0) r
    WHERE {keys_wanted}
        AND pg_catalog.hash_record_extended(ROW({hashed}), 0) OPERATOR(pg_catalog.=) ANY({hashes}::bigint[])
) TO STDOUT (FORMAT {format})

-- name: rows_and_hashes
-- Of the source: all rows, each with its hash, in one pass.
COPY (SELECT {selected}, pg_catalog.hash_record_extended(ROW({hashed}), 0) FROM (SELECT {columns} FROM {table} OFFSET 0) r)
TO STDOUT (FORMAT {format})

-- name: may_change_meanwhile
-- Of the source: whether the snapshot may not cover what the dataset is made of. Foreign tables, and functions that
-- are not PostgreSQL's own and may read something, follow other transactions or none.
WITH RECURSIVE part (kind, oid) AS (
    SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
    UNION
    SELECT used.kind, used.oid FROM part p CROSS JOIN LATERAL (
        SELECT d.refclassid, d.refobjid
        FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        WHERE c.oid = p.oid AND c.relkind = 'v' AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
        UNION ALL SELECT 'pg_class'::regclass, i.inhrelid FROM pg_inherits i WHERE i.inhparent = p.oid
    ) used (kind, oid)
    WHERE p.kind = 'pg_class'::regclass
)
SELECT EXISTS (SELECT FROM part p JOIN pg_class c ON c.oid = p.oid AND p.kind = 'pg_class'::regclass WHERE c.relkind = 'f')
    OR EXISTS (
        SELECT FROM part p JOIN pg_proc f ON f.oid = p.oid AND p.kind = 'pg_proc'::regclass
        WHERE f.provolatile <> 'i' AND f.oid >= 16384
    )

-- name: create_map
CREATE TABLE {map} ({hash} bigint NOT NULL, {key_columns})

-- name: create_staged_map
-- A key without a hash is gone.
CREATE UNLOGGED TABLE {staged_map} ({hash} bigint, {key_columns}) WITH (autovacuum_enabled = false)

-- name: create_hashes
CREATE TEMPORARY TABLE ds_hashes ({hash} bigint, {key_columns}) ON COMMIT DROP

-- name: analyze_map
ANALYZE {map} ({key})

-- name: add_hashes
-- To a table that takes rows and their hashes in one pass.
ALTER TABLE {loaded} ADD COLUMN {hash} bigint

-- name: copy_with_hashes
-- FREEZE: the table was made in this transaction.
COPY {loaded} ({columns}, {hash}) FROM STDIN (FORMAT {format}, FREEZE)

-- name: map_loaded
INSERT INTO {new_map} SELECT {hash}, {key} FROM {loaded}

-- name: drop_hashes
ALTER TABLE {loaded} DROP COLUMN {hash}

-- name: copy_hashes
COPY ds_hashes FROM STDIN (FORMAT {format})

-- name: analyze_hashes
ANALYZE ds_hashes

-- name: stage_changes
-- Hashes that are not as they were, those of keys that are gone, and those of keys that the map does not know.
WITH look ({hash}, {key}, {is_new}) AS MATERIALIZED (
    SELECT s.{hash}, {staged_or_mapped_key}, m.{hash} IS NULL
    FROM ds_hashes s FULL JOIN {map} m ON {key_equal}
    WHERE s.{hash} IS DISTINCT FROM m.{hash}
), staged AS (
    INSERT INTO {staged_map} SELECT {hash}, {key} FROM look
)
SELECT count({hash}), count(*) FILTER (WHERE {hash} IS NULL), count(*) FILTER (WHERE {is_new}) FROM look

-- name: count_map
SELECT count(*) FROM {map}

-- name: new_hashes
-- In pieces, each an array for one statement to the source.
SELECT count(*), array_agg(hash)::text, array_agg(key_hash)::text
FROM (
    SELECT {hash}, {key_hash}, (row_number() OVER () - 1) / {piece} FROM {staged_map} WHERE {hash} IS NOT NULL
) n (hash, key_hash, piece)
GROUP BY piece

-- name: count_unread
-- Keys with a new hash that no row came for.
SELECT count(*) FROM {staged_map} m
WHERE m.{hash} IS NOT NULL AND NOT ({a_key_is_null}) AND NOT EXISTS (SELECT FROM {staging} s WHERE {key_equal})

-- name: is_another_state
-- Whether all rows, read by a second look, are other ones than were hashed by the first. A key goes into its hash.
SELECT (SELECT ROW(count(*), bit_xor({hash}), bit_xor(hashint8extended({hash}, 1))) FROM ds_hashes)
    IS DISTINCT FROM (SELECT ROW(count(*), bit_xor({hash}), bit_xor(hashint8extended({hash}, 1))) FROM {staging})

-- name: drop_look
-- The next dataset looks in the same transaction.
DROP TABLE IF EXISTS ds_hashes

-- name: find_gone
CREATE TEMPORARY TABLE {gone} ON COMMIT DROP AS SELECT {key} FROM {staged_map} WHERE {hash} IS NULL

-- name: find_all_keys
-- The keys of all rows of the source, as far as they are known, should they not add up.
CREATE TEMPORARY TABLE ds_all_keys ON COMMIT DROP AS
SELECT {mapped_key} FROM {map} m WHERE NOT EXISTS (SELECT FROM {staged_map} s WHERE {key_equal})
UNION ALL
SELECT {key} FROM {staged_map} WHERE {hash} IS NOT NULL

-- name: forget_changed
DELETE FROM {map} m USING {staged_map} s WHERE {key_equal}

-- name: keep_changed
INSERT INTO {map} ({hash}, {key}) SELECT {hash}, {key} FROM {staged_map} WHERE {hash} IS NOT NULL

-- name: count_missed
-- An audit: of all differences that a full comparison has found, those in rows whose hash is as it was, and rows that
-- are gone from the source and that the map never knew.
WITH same AS (SELECT {mapped_key} FROM {map} m JOIN {staged_map} s ON {key_equal} AND s.{hash} = m.{hash})
SELECT (SELECT count(*) FROM {delta} d JOIN {staging} m ON m.ctid = d.staged WHERE EXISTS (SELECT FROM same s WHERE {key_equal}))
    + (SELECT count(*) FROM {delta} d JOIN {merge} m ON m.ctid = d.merged WHERE d.staged IS NULL
        AND NOT EXISTS (SELECT FROM {map} s WHERE {key_equal}))
