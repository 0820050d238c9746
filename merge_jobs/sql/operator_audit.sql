-- Who asked for what of a stream, in the history of its row.

-- name: record_action
-- model_commit stays NULL, as with all that is not done by sync; before and after are the row as it is.
INSERT INTO {history} (
    stream_key, change, changed_by, changed_at, before_config_json, before_status, after_config_json, after_status
)
SELECT stream_key, %(change)s, %(by)s, statement_timestamp(), config_json, status, config_json, status
FROM {streams} WHERE stream_key = %(stream)s
