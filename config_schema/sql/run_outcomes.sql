-- What Airflow's side and jobs both ask of what jobs have written down, to judge streams by the same facts.

-- name: failed_runs
-- Of each stream with results: the runs that failed since the last one that succeeded, newest first; of a stream that
-- has failed for long the newest thousand. A result may be any JSON: one that cannot be read hides no other.
WITH RECURSIVE keys (key) AS (
    (SELECT key FROM {run_results} ORDER BY key LIMIT 1)
    UNION ALL
    SELECT (SELECT r.key FROM {run_results} r WHERE r.key > k.key ORDER BY r.key LIMIT 1)
    FROM keys k WHERE k.key IS NOT NULL
)
SELECT k.key::text, failed.count, failed.since, failed.at, left(failed.last ->> 'error', 10000),
    (failed.last -> 'retryable') = 'true'::jsonb
FROM keys k
LEFT JOIN {counter} seen ON seen.key = k.key
CROSS JOIN LATERAL (
    SELECT count(*)::int, min(ended_at), max(ended_at), (array_agg(result_json ORDER BY ended_at DESC))[1]
    FROM (
        SELECT r.ended_at, r.result_json FROM {run_results} r
        WHERE r.key = k.key AND r.ended_at > coalesce(seen.last_checked_at, '-infinity') AND r.result_json ->> 'code' = '-1'
        ORDER BY r.ended_at DESC LIMIT 1000
    ) newest
) failed (count, since, at, last)
WHERE failed.count > 0

-- name: clock
-- Ages of what this server wrote are by its own clock: that of the machine which asks may be hours off.
SELECT clock_timestamp()

-- name: source_errors
-- When the sources of streams were looked at of which something stops batches, and what.
SELECT key, checked_at, error FROM {source_checks} WHERE error IS NOT NULL
