-- What the factory reads of the stream table.

-- name: read_table
-- All rows in one query, or only the token where it is the known one. The token is made of what the rows say,
-- so that it also finds a change by hand that left updated_at alone. Of a text without bounds no more is read than
-- shows that it is too long (stream.LONGEST).
WITH state AS (
    SELECT concat(count(*), ':', sum(hashtextextended(concat_ws(chr(31), stream_key, status, config_json), 0))) AS token
    FROM {stream_table}
)
SELECT state.token, stream.stream_key::text, stream.status::text,
       CASE WHEN stream.status = 'retired' THEN '' ELSE coalesce(left(stream.config_json::text, 500001), '') END
FROM state LEFT JOIN {stream_table} AS stream ON state.token <> %(known)s
ORDER BY stream.stream_key COLLATE "C"

-- name: read_retired_before_gone
-- Of streams without a row: those that were retired when it went. The last word in the history, by its index.
SELECT k.stream_key FROM unnest(%(stream_keys)s::text[]) AS k (stream_key)
WHERE (SELECT h.after_status FROM {history_table} h WHERE h.stream_key = k.stream_key ORDER BY h.id DESC LIMIT 1)
      = 'retired'

-- name: read_rows
SELECT stream_key::text, status::text,
       CASE WHEN status = 'retired' THEN '' ELSE coalesce(left(config_json::text, 500001), '') END
FROM {stream_table}
WHERE stream_key = ANY (%(stream_keys)s::text[])
ORDER BY stream_key COLLATE "C"
