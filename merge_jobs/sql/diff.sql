-- `merge-job diff`: a dataset of the source, copied to a temporary table, is compared with its merge table, whatever the
-- milestoning. All of it is rolled back.

-- name: create_source
CREATE TEMPORARY TABLE ds_source (
    {definitions}
) ON COMMIT DROP

-- name: temporary_schema
SELECT pg_my_temp_schema()::regnamespace::text

-- name: copy_source
COPY ds_source ({columns}) FROM STDIN (FORMAT {format})

-- name: find
-- Every key whose rows differ, once, as a pair of row addresses with the key. The merge table is read with the types of
-- the model, as a batch would alter it before. *<> compares images, as a batch does.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged, {keys_of_either}
FROM ds_source s FULL JOIN (SELECT ctid, {as_modelled} FROM {merge}{open}) m ON {key_equal}
WHERE s.ctid IS NULL OR m.ctid IS NULL OR ROW({staged_columns})::record *<> ROW({merged_columns})::record

-- name: keys_only_in_source
SELECT {key_texts}, ARRAY[]::text[] FROM {delta} d WHERE merged IS NULL ORDER BY {keys} LIMIT %(limit)s

-- name: keys_only_in_merge_table
SELECT {key_texts}, ARRAY[]::text[] FROM {delta} d WHERE staged IS NULL ORDER BY {keys} LIMIT %(limit)s

-- name: keys_different
-- With the columns that differ. Few rows are looked up by their addresses.
WITH shown AS MATERIALIZED (
    SELECT * FROM {delta} d WHERE staged IS NOT NULL AND merged IS NOT NULL ORDER BY {keys} LIMIT %(limit)s
)
SELECT {key_texts}, array_remove(ARRAY[{differing}], NULL)
FROM shown d JOIN ds_source s ON s.ctid = d.staged JOIN (SELECT ctid, {as_modelled} FROM {merge}) m ON m.ctid = d.merged
ORDER BY {keys}
