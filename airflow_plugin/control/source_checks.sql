-- What was found when the sources of streams were looked at last.

-- name: select_checks
SELECT key::text, checked_at, check_json FROM {source_checks}
WHERE %(stream_keys)s::text[] IS NULL OR key = ANY (%(stream_keys)s::text[]) ORDER BY key
