-- What running jobs are at: see stores/postgres/progress.py.

-- name: counted_by_server
-- What a server process counts of the COPY or of the index that it is at.
SELECT NULL::text, tuples_processed, NULL::bigint, bytes_processed FROM pg_stat_progress_copy WHERE pid = %(pid)s
UNION ALL
SELECT 'blocks indexed', blocks_done, blocks_total, NULL::bigint FROM pg_stat_progress_create_index
WHERE pid = %(pid)s AND blocks_total > 0

-- name: write
INSERT INTO {progress} AS job (
    key, run_id, started_at, phase, phase_started_at, dataset, kind, done, expected, bytes, written_at
) VALUES (
    %(key)s, %(run_id)s, clock_timestamp() - make_interval(secs => %(seconds)s), %(phase)s,
    clock_timestamp() - make_interval(secs => %(phase_seconds)s), %(dataset)s, %(kind)s, %(done)s, %(expected)s, %(bytes)s,
    clock_timestamp()
)
ON CONFLICT (key, run_id) DO UPDATE SET
    phase = excluded.phase, phase_started_at = excluded.phase_started_at, dataset = excluded.dataset,
    kind = excluded.kind, done = excluded.done, expected = excluded.expected, bytes = excluded.bytes,
    written_at = excluded.written_at

-- name: forget_dead
-- Of jobs of the stream that died.
DELETE FROM {progress} WHERE key = %(key)s AND written_at < clock_timestamp() - interval '10 minutes'

-- name: forget
DELETE FROM {progress} WHERE key = %(key)s AND run_id = %(run_id)s
