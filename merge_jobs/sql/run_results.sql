-- The result of each run of a stream, by the run's id.

-- name: record_result
-- In place of what an earlier try of the run has left. Of the results that need not be kept any more a hundred go.
WITH forgotten AS (
    DELETE FROM {run_results} WHERE key = %(key)s AND run_id <> %(run_id)s AND run_id IN (
        SELECT run_id FROM {run_results} WHERE key = %(key)s AND kept_until < clock_timestamp()
        ORDER BY kept_until LIMIT 100
    )
)
INSERT INTO {run_results} AS run (key, run_id, ended_at, kept_until, result_json)
VALUES (%(key)s, %(run_id)s, clock_timestamp(), clock_timestamp() + %(kept_for)s::interval, %(result)s)
ON CONFLICT (key, run_id) DO UPDATE SET
    ended_at = excluded.ended_at, kept_until = excluded.kept_until, result_json = excluded.result_json
