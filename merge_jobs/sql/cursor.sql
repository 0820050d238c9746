-- The cursor strategy: only rows whose cursor is at or after the last one are read, so that what is missing among them
-- says nothing. First what a batch learns of the rows that it has read, then of the source's keys.

-- name: at_least
-- From which time on rows are read. The texts of all values are those that this server writes.
SELECT ({last} - make_interval(secs => {lookback}))::{cursor_kind}::text

-- name: measure
-- NULL and infinite values of the cursor's column, the greatest value, and whether it is less than that of the batch
-- before. A time that lies ahead is not the next batch's start: it would leave out all rows up to that time.
SELECT count(*) FILTER (WHERE {cursor} IS NULL), count(*) FILTER (WHERE {is_infinite}),
    least(max({cursor})::{cursor_kind}, {most})::text, coalesce(max({cursor}) < {last}, {last} IS NOT NULL)
FROM {loaded}

-- name: greatest_tie
SELECT max({tie_breaker})::text FROM {loaded} WHERE {cursor} = {last}

-- name: create_gone
-- The keys that the source has lost.
CREATE UNLOGGED TABLE {staged_map} ({key_columns}) WITH (autovacuum_enabled = false)

-- name: take_out_deleted
-- Rows that the source has marked as deleted are none of it, and their keys are gone.
WITH deleted AS (DELETE FROM {loaded} WHERE {deleted_at} IS NOT NULL RETURNING {key})
INSERT INTO {staged_map} SELECT {key} FROM deleted

-- name: leave_out_deleted
DELETE FROM {loaded} WHERE {deleted_at} IS NOT NULL

-- name: drop_keys
-- The next dataset is swept in the same transaction.
DROP TABLE IF EXISTS ds_keys

-- name: create_keys
-- Of all rows of the source, with the mark of those that it has deleted, where it has one.
CREATE TEMPORARY TABLE ds_keys (
    {definitions}
) ON COMMIT DROP

-- name: copy_keys
COPY ds_keys ({columns}) FROM STDIN (FORMAT {format})

-- name: analyze_keys
ANALYZE ds_keys

-- name: find_gone
-- A key that was staged is not gone, even if the source's snapshot does not cover both looks.
CREATE TEMPORARY TABLE {gone} ON COMMIT DROP AS
SELECT DISTINCT {mapped_key} FROM {staged_map} m WHERE NOT EXISTS (SELECT FROM {staging} s WHERE {key_equal})

-- name: nothing_gone
CREATE TEMPORARY TABLE {gone} ON COMMIT DROP AS SELECT {key} FROM {staging} WHERE false

-- name: forget_key
-- What a position has of a key's column may be of a key that is erased: the next batch reads all rows, or again those
-- with the last value.
UPDATE {row_maps} SET guard = CASE
    WHEN guard -> 'cursor' ->> 'column' = ANY(%(columns)s) THEN guard - 'cursor'
    ELSE jsonb_set(guard, ARRAY['cursor', 'tie'], 'null')
END WHERE key = %(key)s AND dataset = %(dataset)s
    AND (guard -> 'cursor' ->> 'column' = ANY(%(columns)s) OR guard -> 'cursor' ->> 'tie_breaker' = ANY(%(columns)s))

-- name: forget_rows
-- The number of the merge table's rows is counted by the next batch.
UPDATE {row_maps} SET guard = guard - 'rows' WHERE key = %(key)s AND dataset = %(dataset)s
    AND (guard ? 'cursor' OR guard ? 'behind')
