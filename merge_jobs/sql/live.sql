-- Live: the merge table equals the source. First what a table is made of, then a batch in the order it runs.

-- name: create_merge_table
CREATE TABLE {merge} (
    {definitions}{deleted_definition}
)

-- name: create_key_index
-- Duplicates cannot be written even by mistake.
CREATE UNIQUE INDEX {key_index} ON {merge} ({key})

-- name: count_open
SELECT count(*) FROM {merge} WHERE true{and_in_source}

-- name: find_delta
-- Every key whose rows differ, once, as a pair of row addresses. *<> compares the rows' images: NULL equals NULL,
-- 1.0 differs from 1.00, and types without an equality of their own are compared too.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged
FROM {staging} s FULL JOIN (SELECT ctid, {columns} FROM {merge} WHERE true{and_in_source}) m ON {key_equal}
WHERE s.ctid IS NULL OR m.ctid IS NULL OR ROW({staged_columns})::record *<> ROW({merged_columns})::record

-- name: keep_unlisted
-- Rows that the source does not list are taken for its own as they are: it has not said that they are gone.
INSERT INTO {loaded} ({kept}) SELECT {kept} FROM {merge} m
WHERE true{and_in_source} AND NOT EXISTS (SELECT FROM {loaded} s WHERE {key_equal})

-- name: find_changes
-- The same where only some rows are staged: all that may have changed, with the keys that are gone.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged
FROM {staging} s LEFT JOIN {merge} m ON {key_equal}{and_in_source}
WHERE m.ctid IS NULL OR ROW({staged_columns})::record *<> ROW({merged_columns})::record
UNION ALL
SELECT NULL, m.ctid FROM {gone} s JOIN {merge} m ON {key_equal}{and_in_source}

-- name: sweep
-- Of all keys of the source: rows whose key is gone are staged as such; how many they are, and how many keys of the
-- source no row of the merge table, and no staged one, has.
WITH lost AS (
    INSERT INTO {staged_map} SELECT {mapped_key} FROM {merge} m
    WHERE NOT EXISTS (SELECT FROM ds_keys s WHERE {key_equal}){and_in_source}
    RETURNING 1
)
SELECT (SELECT count(*) FROM lost), (
    SELECT count(*) FROM ds_keys s WHERE true
        AND NOT EXISTS (SELECT FROM {merge} m WHERE {key_equal}{and_in_source})
        AND NOT EXISTS (SELECT FROM {staging} m WHERE {key_equal})
)

-- name: delete_gone
DELETE FROM {merge} m USING {delta} d WHERE m.ctid = d.merged AND d.staged IS NULL

-- name: update_changed
-- A column that has left the model is NULL in every row written since.
UPDATE {merge} m SET ({columns}) = ROW({staged_columns}){dropped_to_null}
FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
WHERE m.ctid = d.merged

-- name: take_returned
-- A row that was kept when the source had lost its key makes room for the one that the source has now.
DELETE FROM {merge} m USING {delta} d JOIN {staging} s ON s.ctid = d.staged
WHERE d.merged IS NULL AND {key_equal} AND m.ds_deleted_in IS NOT NULL

-- name: insert_new
INSERT INTO {merge} ({columns})
SELECT {staged_columns} FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
WHERE d.merged IS NULL
