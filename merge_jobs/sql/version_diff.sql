-- Version diff. A row version of a heap table never changes, and (ctid, xmin) names it: where a block of the source
-- has the same versions as at the last batch, none of its rows is read. First the source's side, which needs SELECT
-- only, then the merge store's in the order of a batch.

-- name: digests
-- Of the source: a digest of the versions in each block. Transaction numbers in 64 bits: the newest that the row's
-- 32 can stand for, so that a number that comes again is another one. And how many are about as young as the map: what a
-- batch would have to read.
SELECT {leaf}::bigint, {first}::bigint + width_bucket(ctid, {blocks}::tid[]), count(*)::integer,
    bit_xor(hashtidextended(ctid, {transaction})), (count(*) FILTER (WHERE age(xmin) <= {age}))::integer
FROM ONLY {table} WHERE ctid >= {low}::tid AND ctid < {high}::tid GROUP BY 2

-- name: digests_out
-- Those of several windows at once, where they are small.
COPY (
{digests}
) TO STDOUT (FORMAT {format})

-- name: versions
-- Of the source: the versions in blocks that are not as they were, with their keys.
COPY (
    SELECT {leaf}::bigint, block, count(*)::integer, bit_xor(hashtidextended(tid, xid)), array_agg(tid), array_agg(xid),
        {key_arrays}
    FROM (
        SELECT {first}::bigint + width_bucket(ctid, {blocks}::tid[]), ctid, {transaction}, {key}
        FROM ONLY {table} WHERE ctid >= {low}::tid AND ctid < {high}::tid
    ) version (block, tid, xid, {key_names})
    WHERE {wanted}
    GROUP BY block
) TO STDOUT (FORMAT {format})

-- name: rows
-- Of the source: the rows of versions that are new.
COPY (
    SELECT {columns} FROM ONLY {table} WHERE ctid OPERATOR(pg_catalog.=) ANY({tids}::pg_catalog.tid[])
) TO STDOUT (FORMAT {format})

-- name: create_map
-- A row for each block that has rows. Without a page of its own for long arrays: they are short.
CREATE TABLE {map} (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    {key_definitions}
)

-- name: create_staged_map
-- The blocks that are not as they were; one without versions is gone.
CREATE UNLOGGED TABLE {staged_map} (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    {key_definitions}
) WITH (autovacuum_enabled = false)

-- name: index_map
-- No constraint, which would wait for readers of the map.
CREATE UNIQUE INDEX ON {map} (leaf, block)

-- name: analyze_map
-- Not of the arrays, which would take longer than the rest of it.
ANALYZE {map} (leaf, block)

-- name: copy_to_map
COPY {map} FROM STDIN (FORMAT {format}, FREEZE)

-- name: copy_to_map_in_parts
-- By several sessions, none of which has made the table.
COPY {map} FROM STDIN (FORMAT {format})

-- name: copy_to_map_to_come
COPY {staged_map} FROM STDIN (FORMAT {format}, FREEZE)

-- name: copy_to_staged_map
COPY {staged_map} FROM STDIN (FORMAT {format})

-- name: create_digests
-- For all datasets that are staged together.
CREATE TEMPORARY TABLE ds_digest (
    leaf bigint, block bigint, versions integer, digest bigint, young integer
) ON COMMIT DROP

-- name: create_changed_blocks
CREATE TEMPORARY TABLE ds_changed_block (
    dataset text, leaf bigint, block bigint, gone boolean, versions integer, young integer
) ON COMMIT DROP

-- name: create_new_versions
CREATE TEMPORARY TABLE ds_new_version (dataset text, leaf bigint, tid tid) ON COMMIT DROP

-- name: copy_digests
COPY ds_digest FROM STDIN (FORMAT {format})

-- name: count_versions
SELECT coalesce(sum(versions), 0) FROM ds_digest WHERE {of_dataset}

-- name: find_changed_blocks
INSERT INTO ds_changed_block
SELECT {dataset}, leaf, block, d.leaf IS NULL, d.versions, CASE WHEN m.leaf IS NULL THEN d.versions ELSE d.young END
FROM (SELECT * FROM ds_digest WHERE {of_dataset}) d FULL JOIN {map} m USING (leaf, block)
WHERE (d.versions, d.digest) IS DISTINCT FROM (m.versions, m.digest)

-- name: count_changed_blocks
SELECT count(*), count(*) FILTER (WHERE NOT gone), coalesce(sum(versions), 0), coalesce(sum(young), 0)
FROM ds_changed_block WHERE dataset = {dataset}

-- name: changed_blocks
SELECT array_agg(block ORDER BY block) FROM ds_changed_block
WHERE dataset = {dataset} AND NOT gone AND leaf = %(leaf)s AND block >= %(first)s AND block < %(end)s

-- name: stage_gone_blocks
INSERT INTO {staged_map} (leaf, block, versions) SELECT leaf, block, 0 FROM ds_changed_block
WHERE dataset = {dataset} AND gone

-- name: find_new_versions
-- Block by block: the versions of all of them at once would not fit into memory.
INSERT INTO ds_new_version
SELECT {dataset}, s.leaf, v.tid FROM {staged_map} s LEFT JOIN {map} m ON (m.leaf, m.block) = (s.leaf, s.block)
CROSS JOIN LATERAL (SELECT * FROM unnest(s.tids, s.xids) EXCEPT SELECT * FROM unnest(m.tids, m.xids)) v(tid, xid)

-- name: count_new_versions
SELECT count(*) FROM ds_new_version WHERE dataset = {dataset}

-- name: new_versions
-- In pieces, each an array for one statement to the source.
SELECT leaf, count(*), array_agg(tid)::text FROM (
    SELECT leaf, tid, (row_number() OVER (PARTITION BY leaf ORDER BY tid) - 1) / {piece} AS piece
    FROM ds_new_version WHERE dataset = {dataset}
) n
GROUP BY leaf, piece

-- name: drop_look
-- The next datasets look in the same transaction.
DROP TABLE IF EXISTS ds_digest, ds_changed_block, ds_new_version

-- name: find_gone
-- Keys that were in these blocks and are no longer in any of them. The versions that are gone are found block by block,
-- as the new ones are; they are few, and no key has two.
CREATE TEMPORARY TABLE {gone} ON COMMIT DROP AS
SELECT k.* FROM {map} m JOIN {staged_map} s ON (m.leaf, m.block) = (s.leaf, s.block) CROSS JOIN LATERAL (
    SELECT {key} FROM (
        SELECT * FROM unnest(m.tids, m.xids, {mapped_keys}) EXCEPT SELECT * FROM unnest(s.tids, s.xids, {staged_keys})
    ) gone_version ({tid_column}, {xid_column}, {key})
) k
EXCEPT
SELECT k.* FROM {staged_map} s CROSS JOIN LATERAL unnest({staged_keys}) k({key})

-- name: find_all_keys
-- The keys of all rows of the source, should they not add up.
CREATE TEMPORARY TABLE ds_all_keys ON COMMIT DROP AS
SELECT k.* FROM {map} m CROSS JOIN LATERAL unnest({mapped_keys}) k({key})
WHERE NOT EXISTS (SELECT FROM {staged_map} s WHERE (s.leaf, s.block) = (m.leaf, m.block))
UNION ALL
SELECT k.* FROM {staged_map} s CROSS JOIN LATERAL unnest({staged_keys}) k({key})

-- name: find_gone_of_all
-- Where the map is behind, which knows nothing of a key that came and went since: keys that no row of the source has.
CREATE TEMPORARY TABLE {gone} ON COMMIT DROP AS
SELECT {key} FROM {merge} EXCEPT SELECT {key} FROM ds_all_keys

-- name: stage_behind
-- A block that no table has: something is staged, though no block has changed.
INSERT INTO {staged_map} (leaf, block, versions) VALUES (0, 0, 0)

-- name: forget_changed
DELETE FROM {map} m USING {staged_map} s WHERE m.leaf = s.leaf AND m.block = s.block

-- name: keep_changed
INSERT INTO {map} SELECT * FROM {staged_map} WHERE versions > 0

-- name: count_missed_in_place
-- An audit where the map is behind, and so does not know all keys that have come and gone.
WITH old ({leaf_column}, {tid_column}, {xid_column}, {key}) AS (
    SELECT m.leaf, v.* FROM {map} m CROSS JOIN LATERAL unnest(m.tids, m.xids, {mapped_keys}) v
), same AS (
    SELECT s.* FROM old s JOIN (
        SELECT n.leaf, v.* FROM {staged_map} n CROSS JOIN LATERAL unnest(n.tids, n.xids) v
    ) n ({leaf_column}, {tid_column}, {xid_column}) USING ({leaf_column}, {tid_column}, {xid_column})
)
SELECT count(*) FROM {delta} d JOIN {staging} m ON m.ctid = d.staged WHERE EXISTS (SELECT FROM same s WHERE {key_equal})

-- name: count_missed
-- An audit: of all differences that a full comparison has found, those in rows whose versions are as they were, and
-- rows that are gone from the source and that the map never knew.
WITH old ({leaf_column}, {tid_column}, {xid_column}, {key}) AS (
    SELECT m.leaf, v.* FROM {map} m CROSS JOIN LATERAL unnest(m.tids, m.xids, {mapped_keys}) v
), same AS (
    SELECT s.* FROM old s JOIN (
        SELECT n.leaf, v.* FROM {staged_map} n CROSS JOIN LATERAL unnest(n.tids, n.xids) v
    ) n ({leaf_column}, {tid_column}, {xid_column}) USING ({leaf_column}, {tid_column}, {xid_column})
)
SELECT (SELECT count(*) FROM {delta} d JOIN {staging} m ON m.ctid = d.staged WHERE EXISTS (SELECT FROM same s WHERE {key_equal}))
    + (SELECT count(*) FROM {delta} d JOIN {merge} m ON m.ctid = d.merged WHERE d.staged IS NULL
        AND NOT EXISTS (SELECT FROM old s WHERE {key_equal}))
