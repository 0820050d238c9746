-- Where a column of the source says from when a version is valid (`valid_from` of a dataset in the model). A version of a
-- forensic table is valid from ds_valid_from, or, where that is NULL, from its value in that column; a closed one until
-- ds_valid_to. Both columns are of tables with that option only.

-- name: judge_staged
-- Which staged rows cannot begin a version, for the first reason that applies: a bounded sample, with the number of all.
SELECT reason, rejected_key, rows FROM (
    SELECT reason, rejected_key, count(*) OVER of_reason AS rows, row_number() OVER of_reason_in_order AS place
    FROM (
        -- A version that began later than its column says began so for a reason that says nothing of its value, or its
        -- value was unusable before the option was there: such a one lies after its beginning.
        SELECT CASE WHEN {unusable} THEN {why_unusable}
                WHEN {staged_time} < {merged_time} AND (m.ds_valid_from IS NULL OR m.ds_valid_from > {merged_begins_alone})
                THEN 'backwards' END AS reason,
            {staged_key_as_json} AS rejected_key
        FROM {delta} d JOIN {staging} s ON s.ctid = d.staged LEFT JOIN {merge} m ON m.ctid = d.merged
    ) judged
    WHERE reason IS NOT NULL
    WINDOW of_reason AS (PARTITION BY reason),
        of_reason_in_order AS (PARTITION BY reason ORDER BY rejected_key)
) numbered WHERE place <= %(limit)s ORDER BY reason, place

-- name: judge_all
-- The same of all rows of a table: of a first load, or of what is staged when versions begin to be valid from the column.
SELECT reason, rejected_key, rows FROM (
    SELECT reason, rejected_key, count(*) OVER of_reason AS rows, row_number() OVER of_reason_in_order AS place
    FROM (SELECT {why_unusable} AS reason, {staged_key_as_json} AS rejected_key FROM {table} s WHERE {unusable}) judged
    WINDOW of_reason AS (PARTITION BY reason),
        of_reason_in_order AS (PARTITION BY reason ORDER BY rejected_key)
) numbered WHERE place <= %(limit)s ORDER BY reason, place

-- name: find_late
-- Versions that begin later than their column says: none before the key's last version began, and that of a key that has
-- come back, with a time from before the source had lost it, begins with its batch. Mostly there are none.
DROP TABLE IF EXISTS ds_late;
CREATE TEMPORARY TABLE ds_late ON COMMIT DROP AS
SELECT d.staged, m.ds_valid_from AS begins
FROM {delta} d JOIN {staging} s ON s.ctid = d.staged JOIN {merge} m ON m.ctid = d.merged
WHERE m.ds_valid_from > {staged_begins}
UNION ALL
SELECT d.staged, greatest(before.ended, {batch_time}) FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
CROSS JOIN LATERAL (
    SELECT greatest(
        (SELECT max(m.ds_valid_to) FROM {merge} m WHERE {key_equal} AND m.ds_batch_out <> 2147483647),
        (SELECT m.ds_valid_to FROM {merge} m WHERE {key_equal} AND m.ds_batch_out = 2147483647)
    ) AS ended
) before
WHERE d.merged IS NULL AND before.ended >= {staged_begins};
CREATE INDEX ON ds_late (staged);
ANALYZE ds_late

-- name: lacks_an_end
-- Where versions were closed without a word on when: by an older program, or while the option was off.
SELECT EXISTS (SELECT FROM {merge} WHERE ds_batch_out <> 2147483647 AND ds_valid_to IS NULL)

-- name: kept_by_mistake
-- Open versions of keys that the source had lost, of a time when such rows were kept. Now their key is gone, or is back.
UPDATE {merge} SET ds_valid_to = NULL WHERE ds_batch_out = 2147483647 AND ds_valid_to IS NOT NULL

-- name: fill
-- The times of all versions, as if the option had been there from the first batch on. A version without a usable value
-- begins with its batch, as one does of a key that the source had lost since the time that it has; none begins before
-- the key's last one.
UPDATE {merge} m SET ds_valid_from = CASE WHEN filled.begins IS DISTINCT FROM filled.wanted THEN filled.begins END,
    ds_valid_to = filled.ends
FROM (
    SELECT version, wanted, begins,
        CASE
            WHEN is_gone THEN greatest(lost_at, begins)
            WHEN batch_out <> 2147483647 THEN lead(begins) OVER of_key
        END AS ends
    FROM (
        SELECT *, max(
            greatest(begins_alone, CASE WHEN begins_alone <= lost_before THEN greatest(batch_time, lost_before) END)
        ) OVER (of_key ROWS UNBOUNDED PRECEDING) AS begins
        FROM (
            SELECT *, CASE WHEN lag(is_gone) OVER of_key THEN greatest(
                lag(lost_at) OVER of_key,
                max(begins_alone) OVER (of_key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            ) END AS lost_before
            FROM (
                SELECT s.ctid AS version, {numbered_key}, s.ds_batch_in AS batch_in, s.ds_batch_out AS batch_out,
                    usable.begins AS wanted, coalesce(usable.begins, i.source_snapshot_time) AS begins_alone,
                    i.source_snapshot_time AS batch_time, o.source_snapshot_time AS lost_at,
                    {lost_in} <> 2147483647 AND {lost_in} IS DISTINCT FROM lead(s.ds_batch_in) OVER (
                        PARTITION BY {staged_key} ORDER BY s.ds_batch_in
                    ) AS is_gone
                FROM {merge} s
                LEFT JOIN {metrics} i ON i.key = {stream} AND i.batch_id = s.ds_batch_in
                LEFT JOIN {metrics} o ON o.key = {stream} AND o.batch_id = {lost_in}
                CROSS JOIN LATERAL (SELECT CASE WHEN {usable_in_its_batch} THEN {staged_begins} END AS begins) usable
            ) versions
            WINDOW of_key AS (PARTITION BY {map_keys} ORDER BY batch_in)
        ) after_losses
        WINDOW of_key AS (PARTITION BY {map_keys} ORDER BY batch_in)
    ) begun
    WINDOW of_key AS (PARTITION BY {map_keys} ORDER BY batch_in)
) filled
WHERE m.ctid = filled.version
    AND (m.ds_valid_to IS DISTINCT FROM filled.ends
         OR m.ds_valid_from IS DISTINCT FROM CASE WHEN filled.begins IS DISTINCT FROM filled.wanted THEN filled.begins END)
