-- What a batch changed: in a forensic merge table, where the versions are that it closed and opened, or in a live one, of
-- which a batch keeps it.

-- name: committed_batch
-- That batch, or the last one.
SELECT batch_id, run_id, source_snapshot_time, batch_end_time, state -> 'changes',
    records_inserted, records_updated, records_deleted
FROM {metrics} WHERE key = %(key)s AND batch_status = 'committed'
    AND (batch_id = %(batch_id)s OR %(batch_id)s::integer IS NULL)
ORDER BY batch_id DESC LIMIT 1

-- name: hold_erasures
-- Until the end of the transaction no key is erased: what is read of one would be kept after it. Only erasures wait.
LOCK TABLE {erased} IN SHARE MODE

-- name: keep
-- For the pages, which read no merge table: numbers as long as the batch is kept, keys with values for a time.
UPDATE {metrics} SET state = state - 'values'
    || jsonb_build_object('changes', %(changes)s::jsonb, 'changes_unknown', %(unknown)s::jsonb)
    || CASE WHEN %(values)s::jsonb = '{{}}' THEN '{{}}' ELSE jsonb_build_object('values', jsonb_build_object(
        'until', clock_timestamp() + %(kept_for)s::interval, 'datasets', %(values)s::jsonb
    )) END
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'committed'

-- name: forget_values
-- Of a stream, or of all: those whose time is over.
UPDATE {metrics} SET state = state - 'values'
WHERE (key = %(key)s OR %(key)s::text IS NULL) AND state ? 'values'
    AND (state #>> '{{values,until}}')::timestamptz < clock_timestamp()

-- name: is_older
-- By the merge store's clock, as versions are deleted.
SELECT %(time)s < clock_timestamp() - make_interval(days => %(days)s)

-- name: of_batch
-- All in one statement, so of one state of the table, whatever a batch does meanwhile: the number of keys of each kind,
-- how many updated ones differ in each column, and some keys of each kind with the values before and after.
WITH changed AS MATERIALIZED (
    -- A key that came back has closed the version that was kept when the source had lost it before.
    SELECT s.ctid AS opened, CASE WHEN NOT (s.ctid IS NOT NULL AND {was_lost}) THEN m.ctid END AS closed, {keys_of_either},
        CASE WHEN s.ctid IS NULL THEN 'deleted' WHEN m.ctid IS NULL OR {was_lost} THEN 'inserted' ELSE 'updated' END AS kind
    FROM (SELECT ctid, {key} FROM {merge} WHERE ds_batch_in = %(batch_id)s) s
    FULL JOIN (SELECT ctid, {key}, {lost_in} AS {lost_in_name} FROM {merge} WHERE %(batch_id)s IN (ds_batch_out, {lost_in})) m
        ON {key_equal}
), differing AS (
    SELECT ARRAY[{differing_rows}]::bigint[] AS columns
    FROM changed d JOIN {merge} s ON s.ctid = d.opened JOIN {merge} m ON m.ctid = d.closed WHERE d.kind = 'updated'
), shown AS (
    SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY {keys}) AS place FROM changed) d
    WHERE place <= %(limit)s
), texts AS (
    SELECT d.kind, d.place, {key_texts} AS key, ARRAY[{is_different}]::boolean[] AS different, ARRAY[{old_texts}]::text[] AS old,
        ARRAY[{new_texts}]::text[] AS new
    FROM shown d LEFT JOIN {merge} s ON s.ctid = d.opened LEFT JOIN {merge} m ON m.ctid = d.closed
)
SELECT count(*) FILTER (WHERE kind = 'inserted'), count(*) FILTER (WHERE kind = 'updated'),
    count(*) FILTER (WHERE kind = 'deleted'), (SELECT columns FROM differing),
    (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.kind, t.place) FROM texts t)
FROM changed

-- name: of_delta
-- The same of what a batch is about to change in a live table, which has the values before until then.
WITH differing AS (
    SELECT ARRAY[{differing_rows}]::bigint[] AS columns
    FROM {delta} d JOIN {staging} s ON s.ctid = d.staged JOIN {merge} m ON m.ctid = d.merged
), changed AS (
    SELECT staged, merged,
        CASE WHEN staged IS NULL THEN 'deleted' WHEN merged IS NULL THEN 'inserted' ELSE 'updated' END AS kind
    FROM {delta}
), shown AS (
    SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY staged, merged) AS place FROM changed) d
    WHERE place <= %(limit)s
), texts AS (
    SELECT d.kind, d.place, {key_texts} AS key, ARRAY[{is_different}]::boolean[] AS different,
        ARRAY[{old_texts}]::text[] AS old, ARRAY[{new_texts}]::text[] AS new
    FROM shown d LEFT JOIN {staging} s ON s.ctid = d.staged LEFT JOIN {merge} m ON m.ctid = d.merged
)
SELECT columns, (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.kind, t.place) FROM texts t) FROM differing
