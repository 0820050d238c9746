-- What an operator wants to know of a platform's streams. Reads only.

-- name: tables_there
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s)

-- name: synced_streams
SELECT stream_key, status FROM {streams}

-- name: streams
-- Their keys by the index, as there may be years of batches. An open batch is always newer than the last committed one.
WITH RECURSIVE keys (key) AS (
    (SELECT key FROM {metrics} ORDER BY key LIMIT 1)
    UNION ALL
    SELECT (SELECT m.key FROM {metrics} m WHERE m.key > k.key ORDER BY m.key LIMIT 1) FROM keys k WHERE k.key IS NOT NULL
)
SELECT k.key, c.last_checked_at,
    last.batch_id, last.batch_start_time, last.batch_end_time, last.records_inserted, last.records_updated,
    last.records_deleted, last.total_records, last.strategy, last.source_snapshot_time, last.model_commit, last.run_id,
    open.batch_id, open.batch_status, coalesce(open.batch_end_time, open.batch_start_time), open.run_id, open.error,
    open.retryable
FROM (SELECT key FROM keys WHERE key IS NOT NULL UNION SELECT key FROM {counter}) k
LEFT JOIN {counter} c ON c.key = k.key
LEFT JOIN LATERAL (
    SELECT * FROM {metrics} m WHERE m.key = k.key AND m.batch_status = 'committed' ORDER BY m.batch_id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT * FROM {metrics} m
    WHERE m.key = k.key AND m.batch_id > coalesce(last.batch_id, 0) ORDER BY m.batch_id DESC LIMIT 1
) open ON true
ORDER BY k.key

-- name: row_maps
-- A map under another name than the usual one has its name in the guard.
SELECT key, dataset, kind IS NOT NULL OR guard -> 'map' IS NOT NULL, guard -> 'map' ->> 'table', distrusted
FROM {row_maps} ORDER BY 1, 2

-- name: locks
-- Jobs at work: who holds which stream, by the number of its lock.
SELECT l.classid::bigint << 32 | l.objid::bigint, l.pid, a.application_name
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
