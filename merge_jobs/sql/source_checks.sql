-- What was found when the source of a stream was looked at.

-- name: record_check
INSERT INTO {source_checks} AS last (key, checked_at, model_commit, error, check_json)
VALUES (%(key)s, clock_timestamp(), %(model_commit)s, %(error)s, %(check)s)
ON CONFLICT (key) DO UPDATE SET
    checked_at = excluded.checked_at, model_commit = excluded.model_commit, error = excluded.error,
    check_json = excluded.check_json
