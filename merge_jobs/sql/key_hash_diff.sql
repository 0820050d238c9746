-- Key-hash diff, for what has no row versions of its own: views, foreign tables and the like. The source hashes each
-- row; rows whose hash is as it was are not read. First the source's side, then the merge store's.

-- name: hashes
-- Of the source. A record's hash tells NULL from an empty string, and where a column ends. Where equal values may
-- differ, as 1.0 and 1.00 do, a column goes in as text.
COPY (SELECT hash_record_extended(ROW({hashed}), 0), {key} FROM {table}) TO STDOUT (FORMAT {format})

-- name: rows
-- Of the source: rows with a new hash, found by a hash of the key, so that no key stands in a statement.
COPY (SELECT {columns} FROM {table} WHERE {wanted}) TO STDOUT (FORMAT {format})

-- name: create_map
CREATE TABLE {map} (ds_hash bigint NOT NULL, {key_columns})

-- name: create_staged_map
-- A key without a hash is gone.
CREATE UNLOGGED TABLE {staged_map} (ds_hash bigint, {key_columns}) WITH (autovacuum_enabled = false)

-- name: create_hashes
CREATE TEMPORARY TABLE ds_hashes (ds_hash bigint, {key_columns}) ON COMMIT DROP

-- name: analyze_map
ANALYZE {map} ({key})

-- name: copy_to_map
COPY {map} FROM STDIN (FORMAT {format}, FREEZE)

-- name: copy_to_map_to_come
COPY {staged_map} FROM STDIN (FORMAT {format}, FREEZE)

-- name: copy_hashes
COPY ds_hashes FROM STDIN (FORMAT {format})

-- name: analyze_hashes
ANALYZE ds_hashes

-- name: stage_changes
INSERT INTO {staged_map}
SELECT s.ds_hash, {staged_or_mapped_key}
FROM ds_hashes s FULL JOIN {map} m ON {key_equal}
WHERE s.ds_hash IS DISTINCT FROM m.ds_hash

-- name: count_changes
SELECT count(ds_hash), count(*) FROM {staged_map}

-- name: new_hashes
-- In pieces, each an array for one statement to the source.
SELECT count(*), array_agg(hash)::text
FROM (
    SELECT hashtextextended(ROW({key})::text, 0) AS hash, (row_number() OVER () - 1) / {piece} AS piece
    FROM {staged_map} WHERE ds_hash IS NOT NULL
) n
GROUP BY piece

-- name: drop_look
-- The next dataset looks in the same transaction.
DROP TABLE ds_hashes

-- name: find_gone
CREATE TEMPORARY TABLE ds_gone ON COMMIT DROP AS SELECT {key} FROM {staged_map} WHERE ds_hash IS NULL

-- name: find_all_keys
-- The keys of all rows of the source, as far as they are known, should they not add up.
CREATE TEMPORARY TABLE ds_all_keys ON COMMIT DROP AS
SELECT {mapped_key} FROM {map} m WHERE NOT EXISTS (SELECT FROM {staged_map} s WHERE {key_equal})
UNION ALL
SELECT {key} FROM {staged_map} WHERE ds_hash IS NOT NULL

-- name: forget_changed
DELETE FROM {map} m USING {staged_map} s WHERE {key_equal}

-- name: keep_changed
INSERT INTO {map} SELECT * FROM {staged_map} WHERE ds_hash IS NOT NULL
