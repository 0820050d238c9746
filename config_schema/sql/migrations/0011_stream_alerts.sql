-- part: streams
-- older programs: go on
-- What was last reported of a stream, so that people hear of a change once. No row: it is fine, or nobody was notified.
CREATE TABLE IF NOT EXISTS {schema}.{stream_alerts} (
    key varchar(255) PRIMARY KEY,
    state text NOT NULL,
    sent_at timestamptz NOT NULL
)
