-- Who asked for what of a stream, in the history of its row.

-- name: record_action
-- model_commit stays NULL, as with all that is not done by sync; before and after are the row as it is.
INSERT INTO {history} (
    stream_key, change, changed_by, changed_at, before_config_json, before_status, after_config_json, after_status
    {reason_column}
)
SELECT stream_key, %(change)s, %(by)s, statement_timestamp(), config_json, status, config_json, status
    {reason}
FROM {streams} WHERE stream_key = %(stream)s

-- name: has_reasons
SELECT EXISTS (
    SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(history)s AND a.attname = 'reason' AND NOT a.attisdropped
)
