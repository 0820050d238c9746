-- What the factory reads of the merge job's batch tables. Names of tables are put in by batch_table.py.

-- name: result_of_run
-- The counter moves with each batch and each look that found nothing, so it has the newest word on its last run.
(SELECT 1, last_result_json FROM {counter} WHERE key = %(stream_key)s AND last_run_id = %(run_id)s)
UNION ALL
(SELECT 2, result_json FROM {metrics}
 WHERE key = %(stream_key)s AND run_id = %(run_id)s AND batch_status = 'committed'
 ORDER BY batch_id DESC LIMIT 1)
ORDER BY 1 LIMIT 1

-- name: origin
-- Where the rows of the newest batch come from. A look that found nothing leaves no batch: the one before it tells.
SELECT state -> 'origin' FROM {metrics} WHERE key = %(stream_key)s AND state ? 'origin' ORDER BY batch_id DESC LIMIT 1

-- name: columns
-- By the catalogue itself: the information schema shows only what the user may read.
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum

-- name: table_sizes
-- Of merge tables, wherever they are: their comments say whose. The number of rows is the planner's estimate.
SELECT obj_description(c.oid, 'pg_class'), n.nspname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'r'
    AND starts_with(obj_description(c.oid, 'pg_class'), '{{"kind": "merge"')

-- name: last_looks
-- When each stream was last made equal to its source, or seen to be, and its open batch: newer than the last committed.
SELECT wanted.key, coalesce(seen.last_checked_at, last.batch_end_time), open.batch_id, open.batch_status, left(open.error, 10000),
    last.batch_id, open.batch_end_time, open.retryable,
    ARRAY(
        SELECT jsonb_build_array(of.dataset -> 'key', broken)
        FROM jsonb_path_query(seen.last_result_json, '$.datasets.keyvalue()', '{{}}', true) of (dataset),
            jsonb_path_query(
                of.dataset, '$.value.quality[*] ? (@.severity == "warn" && @.violations > 0)', '{{}}', true
            ) broken
        LIMIT 100
    )
FROM unnest(%(stream_keys)s::text[]) AS wanted (key)
LEFT JOIN {counter} seen ON seen.key = wanted.key
LEFT JOIN LATERAL (
    SELECT m.batch_id, m.batch_end_time FROM {metrics} m
    WHERE m.key = wanted.key AND m.batch_status = 'committed' ORDER BY m.batch_id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT m.batch_id, m.batch_status, m.error, m.batch_end_time, m.retryable FROM {metrics} m
    WHERE m.key = wanted.key AND m.batch_id > coalesce(last.batch_id, 0) ORDER BY m.batch_id DESC LIMIT 1
) open ON true

-- name: refused_delete
-- Of the open batch: what it was refused for, and what people have approved of that and has not expired.
SELECT state -> 'refused_delete', approval.by, approval.until
FROM {metrics}
LEFT JOIN LATERAL (
    SELECT of ->> 'by' AS by, (of ->> 'until')::timestamptz AS until, (of ->> 'rows')::bigint AS rows
    FROM (SELECT state #> ARRAY['delete_approvals', state #>> '{{refused_delete,dataset}}'] AS of) given
) approval ON approval.until > clock_timestamp() AND approval.rows >= (state #>> '{{refused_delete,rows}}')::bigint
WHERE key = %(stream_key)s AND batch_status = 'failed' AND state ? 'refused_delete' AND batch_id > coalesce(
    (SELECT max(batch_id) FROM {metrics} WHERE key = %(stream_key)s AND batch_status = 'committed'), 0)
ORDER BY batch_id DESC LIMIT 1

-- name: progress
-- What jobs are at; they write it every other second. One that has not for a while is dead, or cannot.
SELECT key::text, run_id, started_at, phase, phase_started_at, dataset, kind, done, expected, bytes, written_at
FROM {progress}
WHERE (%(stream_keys)s::text[] IS NULL OR key = ANY (%(stream_keys)s::text[]))
    AND written_at > clock_timestamp() - interval '20 seconds'
ORDER BY key, started_at

-- name: record_failure
-- Kept as long as a job's own of a run without a batch. What the job says itself stands, and takes the place of this.
INSERT INTO {run_results} (key, run_id, ended_at, kept_until, result_json)
VALUES (%(stream_key)s, %(run_id)s, clock_timestamp(), clock_timestamp() + interval '30 days', %(result)s)
ON CONFLICT (key, run_id) DO NOTHING
