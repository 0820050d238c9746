-- What the pages and the REST API ask a merge store. Names of tables are put in by web/queries.py.

-- name: streams
-- All rows; their configs only where the token of what is read is not the known one. Of the configs so many bytes are
-- read in all, the shortest first, and NULL is what is left: a few rows of any length are not to fill the api-server.
WITH sized AS (
    SELECT *, sum(octet_length(coalesce(config_json::text, ''))) OVER (
        ORDER BY octet_length(coalesce(config_json::text, '')), stream_key COLLATE "C"
    ) <= %(bytes)s AS is_read
    FROM {stream_table}
), state AS (
    SELECT concat(count(*), ':', sum(hashtextextended(concat_ws(chr(31), stream_key, status,
        CASE WHEN is_read THEN config_json ELSE octet_length(config_json)::text END), 0))) AS token
    FROM sized
)
SELECT state.token, stream.stream_key::text, stream.status::text, stream.updated_at,
       CASE WHEN state.token <> %(known)s AND is_read THEN coalesce(left(stream.config_json::text, 500001), '') END
FROM state LEFT JOIN sized AS stream ON true
ORDER BY stream.stream_key COLLATE "C"

-- name: last_batches
-- Of each stream: when it was last equal to its source, its open batch, and the counts of the last committed one.
SELECT stream.stream_key::text, coalesce(seen.last_checked_at, last.batch_end_time),
    open.batch_id, open.batch_status, left(open.error, 2000), last.batch_id,
    open.batch_end_time, open.retryable,
    last.records_inserted, last.records_updated, last.records_deleted, last.total_records
FROM {stream_table} AS stream
LEFT JOIN {counter} seen ON seen.key = stream.stream_key
LEFT JOIN LATERAL (
    SELECT m.batch_id, m.batch_end_time, m.records_inserted, m.records_updated, m.records_deleted, m.total_records
    FROM {metrics} m
    WHERE m.key = stream.stream_key AND m.batch_status = 'committed' ORDER BY m.batch_id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT m.batch_id, m.batch_status, m.error, m.batch_end_time, m.retryable FROM {metrics} m
    WHERE m.key = stream.stream_key AND m.batch_id > coalesce(last.batch_id, 0) ORDER BY m.batch_id DESC LIMIT 1
) open ON true

-- name: moved
-- What was committed in each hour of the last day, by stream: who asks may not see all of them.
SELECT key::text, date_trunc('hour', batch_end_time), count(*),
    sum(records_inserted)::bigint, sum(records_updated)::bigint, sum(records_deleted)::bigint
FROM {metrics}
WHERE batch_status = 'committed' AND batch_end_time > now() - interval '24 hours'
GROUP BY 1, 2

-- name: batches
-- Of one stream, the newest first; where their results are more than some megabytes the oldest are left out.
SELECT batch_id, batch_status, batch_start_time, batch_end_time, records_inserted, records_updated, records_deleted,
    total_records, strategy, run_id, left(error, 10000),
    CASE WHEN number > 1 OR octet_length(result_json::text) <= 8000000 THEN result_json END, left(state ->> 'said', 10000),
    state -> 'quality', state -> 'quality_data'
FROM (
    SELECT *, row_number() OVER newest AS number, sum(
        coalesce(pg_column_size(result_json), 0) + coalesce(pg_column_size(state -> 'quality'), 0)
        + coalesce(pg_column_size(state -> 'quality_data'), 0)
    ) OVER newest AS size
    FROM (
        SELECT * FROM {metrics} WHERE key = %(stream_key)s AND batch_id < %(before)s
        ORDER BY batch_id DESC LIMIT %(limit)s
    ) page
    WINDOW newest AS (ORDER BY batch_id DESC)
) sized
WHERE number = 1 OR size <= 300000
ORDER BY batch_id DESC

-- name: batches_of_run
SELECT batch_id, batch_status, batch_start_time, batch_end_time, records_inserted, records_updated, records_deleted,
    total_records, strategy, run_id, left(error, 10000),
    CASE WHEN number > 1 OR octet_length(result_json::text) <= 8000000 THEN result_json END, left(state ->> 'said', 10000),
    state -> 'quality', state -> 'quality_data'
FROM (
    SELECT *, row_number() OVER newest AS number, sum(
        coalesce(pg_column_size(result_json), 0) + coalesce(pg_column_size(state -> 'quality'), 0)
        + coalesce(pg_column_size(state -> 'quality_data'), 0)
    ) OVER newest AS size
    FROM (
        SELECT * FROM {metrics} WHERE key = %(stream_key)s AND run_id = %(run_id)s ORDER BY batch_id DESC LIMIT 100
    ) page
    WINDOW newest AS (ORDER BY batch_id DESC)
) sized
WHERE number = 1 OR size <= 300000
ORDER BY batch_id DESC

-- name: batch_changes
-- What is kept of one committed batch: numbers, datasets of which nothing is known, and values with the end of their
-- time; nothing of what is longer than a job keeps.
SELECT state -> 'changes', state -> 'changes_unknown', state -> 'values' -> 'datasets', state -> 'values' ->> 'until',
    clock_timestamp()
FROM (
    SELECT CASE WHEN octet_length(concat(state -> 'changes', state -> 'changes_unknown', state -> 'values')) <= 2000000
        THEN state END AS state
    FROM {metrics} WHERE key = %(stream_key)s AND batch_id = %(batch_id)s AND batch_status = 'committed'
) batch

-- name: run_results
-- What each of some runs did, or why it failed; of runs of an older job nothing. A result may be any JSON of any length:
-- lists get the beginning of its error, and one that is none, or is too long, is left out.
SELECT key, run_id, shown.result
FROM {run_results} run
CROSS JOIN LATERAL (SELECT CASE WHEN jsonb_typeof(run.result_json) = 'object' THEN
    run.result_json - CASE WHEN %(whole)s THEN '' ELSE 'datasets' END
    || jsonb_build_object('error', left(run.result_json ->> 'error', %(longest)s)) END) shown (result)
WHERE (key, run_id) IN (SELECT * FROM unnest(%(stream_keys)s::text[], %(run_ids)s::text[]))
    AND octet_length(shown.result::text) <= %(bytes)s

-- name: results
-- The same of batches, also of an older job; the counter has the newest word on a stream's last run.
SELECT wanted.key, wanted.run_id, shown.result
FROM unnest(%(stream_keys)s::text[], %(run_ids)s::text[]) AS wanted (key, run_id)
LEFT JOIN {counter} seen ON seen.key = wanted.key AND seen.last_run_id = wanted.run_id
LEFT JOIN LATERAL (
    SELECT m.result_json FROM {metrics} m
    WHERE m.key = wanted.key AND m.run_id = wanted.run_id AND m.batch_status = 'committed'
    ORDER BY m.batch_id DESC LIMIT 1
) batch ON true
CROSS JOIN LATERAL (SELECT coalesce(seen.last_result_json, batch.result_json)) stored (result)
CROSS JOIN LATERAL (SELECT CASE WHEN jsonb_typeof(stored.result) = 'object' THEN
    stored.result - CASE WHEN %(whole)s THEN '' ELSE 'datasets' END
    || jsonb_build_object('error', left(stored.result ->> 'error', %(longest)s)) END) shown (result)
WHERE octet_length(shown.result::text) <= %(bytes)s

-- name: batch_errors
-- Why the last batch of each of some runs failed: of runs of an older job nothing else says it.
SELECT wanted.key, wanted.run_id, left(batch.error, 10000)
FROM unnest(%(stream_keys)s::text[], %(run_ids)s::text[]) AS wanted (key, run_id)
CROSS JOIN LATERAL (
    SELECT m.error FROM {metrics} m
    WHERE m.key = wanted.key AND m.run_id = wanted.run_id AND m.error IS NOT NULL
    ORDER BY m.batch_id DESC LIMIT 1
) batch

-- name: last_change
-- Of one row: the newest change in its history that was one, whether the row is still as that left it, and whether it
-- is not as the last sync left it.
SELECT stream.status::text, left(stream.config_json::text, 500001), changed.id,
    (changed.after_config_json, changed.after_status::text) = (stream.config_json::text, stream.status::text),
    changed.id IS NOT NULL AND (
        synced.after_config_json IS DISTINCT FROM stream.config_json::text
        OR (synced.after_status = 'retired') IS DISTINCT FROM (stream.status = 'retired'))
FROM {stream_table} AS stream
LEFT JOIN LATERAL (
    SELECT h.id, h.after_config_json, h.after_status FROM {history_table} h
    WHERE h.stream_key = stream.stream_key
      AND (h.before_config_json, h.before_status) IS DISTINCT FROM (h.after_config_json, h.after_status)
    ORDER BY h.id DESC LIMIT 1
) changed ON true
LEFT JOIN LATERAL (
    SELECT h.after_config_json, h.after_status FROM {history_table} h
    WHERE h.stream_key = stream.stream_key AND h.model_commit IS NOT NULL ORDER BY h.id DESC LIMIT 1
) synced ON true
WHERE stream.stream_key = %(stream_key)s

-- name: note_action
-- Something was asked for that is no change of the row.
INSERT INTO {history_table} (
    stream_key, change, changed_by, changed_at, model_commit,
    before_config_json, before_status, after_config_json, after_status {reason_column}
)
SELECT stream_key, %(action)s, %(changed_by)s, statement_timestamp(), NULL,
       config_json, status, config_json, status {reason}
FROM {stream_table} WHERE stream_key = %(stream_key)s

-- name: has_distrusted_strategy
SELECT EXISTS (SELECT FROM {row_maps} WHERE key = %(stream_key)s AND distrusted IS NOT NULL)

-- name: views
-- The views that read merge tables, and which, through as many views as there are between; with their comments.
WITH RECURSIVE reading (source, oid) AS (
    SELECT c.relname::text, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND c.relkind IN ('r', 'p')
    UNION
    SELECT reading.source, r.ev_class
    FROM reading
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reading.oid
        AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> reading.oid
)
SELECT n.nspname::text, c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), ''), array_agg(reading.source)
FROM reading JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' GROUP BY c.oid, n.nspname, c.relname ORDER BY 1, 2 LIMIT 500

-- name: merge_columns
-- The columns of merge tables, in their order; everybody may read the catalogue.
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND c.relkind IN ('r', 'p')
ORDER BY c.relname, a.attnum
