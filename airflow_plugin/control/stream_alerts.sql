-- What was last reported of streams. Names of tables are put in by the session.

-- name: select_sent
SELECT key::text, state, sent_at FROM {stream_alerts}

-- name: record_sent
INSERT INTO {stream_alerts} AS sent (key, state, sent_at) VALUES (%(key)s, %(state)s, statement_timestamp())
ON CONFLICT (key) DO UPDATE SET state = excluded.state, sent_at = excluded.sent_at

-- name: forget_sent
DELETE FROM {stream_alerts} WHERE key = ANY (%(keys)s::text[])
