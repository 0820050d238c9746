-- Forensic: every version of a row that a batch saw. A version holds from batch ds_batch_in until before batch
-- ds_batch_out; 2147483647 is open. First what a table is made of, then a batch in the order it runs.

-- name: create_merge_table
-- The defaults fill the first load, whose COPY knows nothing of batches; later versions are inserted in full.
CREATE TABLE {merge} (
    {definitions}{deleted_definition}{valid_definitions},
    ds_batch_in integer NOT NULL DEFAULT {batch_id},
    ds_batch_out integer NOT NULL DEFAULT 2147483647
)

-- name: drop_first_batch_default
ALTER TABLE {merge} ALTER COLUMN ds_batch_in DROP DEFAULT

-- name: create_key_index
-- One open version of a key: a second cannot be written even by mistake.
CREATE UNIQUE INDEX {key_index} ON {merge} ({key}) WHERE ds_batch_out = 2147483647

-- name: count_open
SELECT count(*) FROM {merge} WHERE ds_batch_out = 2147483647{and_in_source}

-- name: find_delta
-- Every key whose open version differs from the source, once, as a pair of row addresses. *<> compares the rows'
-- images: NULL equals NULL, 1.0 differs from 1.00, and types without an equality of their own are compared too.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged
FROM {staging} s
FULL JOIN (SELECT ctid, {columns} FROM {merge} WHERE ds_batch_out = 2147483647{and_in_source}) m ON {key_equal}
WHERE s.ctid IS NULL OR m.ctid IS NULL OR ROW({staged_columns})::record *<> ROW({merged_columns})::record

-- name: keep_unlisted
-- Rows that the source does not list are taken for its own as they are: it has not said that they are gone.
INSERT INTO {loaded} ({kept}) SELECT {kept} FROM {merge} m
WHERE m.ds_batch_out = 2147483647{and_in_source} AND NOT EXISTS (SELECT FROM {loaded} s WHERE {key_equal})

-- name: find_changes
-- The same where only some rows are staged: all that may have changed, with the keys that are gone.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged
FROM {staging} s LEFT JOIN {merge} m ON {key_equal} AND m.ds_batch_out = 2147483647{and_in_source}
WHERE m.ctid IS NULL OR ROW({staged_columns})::record *<> ROW({merged_columns})::record
UNION ALL
SELECT NULL, m.ctid FROM {gone} s JOIN {merge} m ON {key_equal} AND m.ds_batch_out = 2147483647{and_in_source}

-- name: sweep
-- Of all keys of the source: versions whose key is gone are staged as such; how many they are, and how many keys of the
-- source no open version, and no staged row, has.
WITH lost AS (
    INSERT INTO {staged_map} SELECT {mapped_key} FROM {merge} m
    WHERE m.ds_batch_out = 2147483647 AND NOT EXISTS (SELECT FROM ds_keys s WHERE {key_equal}){and_in_source}
    RETURNING 1
)
SELECT (SELECT count(*) FROM lost), (
    SELECT count(*) FROM ds_keys s WHERE true
        AND NOT EXISTS (SELECT FROM {merge} m WHERE {key_equal} AND m.ds_batch_out = 2147483647{and_in_source})
        AND NOT EXISTS (SELECT FROM {staging} m WHERE {key_equal})
)

-- name: close_deleted
UPDATE {merge} m SET ds_batch_out = %(batch_id)s{ends_with_batch}
FROM {delta} d WHERE m.ctid = d.merged AND d.staged IS NULL

-- name: close_changed
UPDATE {merge} m SET ds_batch_out = %(batch_id)s{ends_with_next}
FROM {delta} d{with_staged} WHERE m.ctid = d.merged AND d.staged IS NOT NULL

-- name: take_returned
-- A version that was kept when the source had lost its key ends where the key comes back.
UPDATE {merge} m SET ds_batch_out = %(batch_id)s
FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
WHERE d.merged IS NULL AND {key_equal} AND m.ds_deleted_in IS NOT NULL AND m.ds_batch_out = 2147483647

-- name: open_versions
-- Of new and of changed keys alike.
INSERT INTO {merge} ({columns}, ds_batch_in, ds_batch_out{late_column})
SELECT {staged_columns}, %(batch_id)s, 2147483647{late}
FROM {delta} d JOIN {staging} s ON s.ctid = d.staged{with_late}
