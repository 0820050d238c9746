-- part: batches
-- older programs: go on
-- What was found when the source of a stream was looked at last, a row for each stream. `error` is the first finding
-- that stops a batch.
CREATE TABLE IF NOT EXISTS {schema}.{source_checks} (
    key varchar(255) PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    model_commit text,
    error text,
    check_json jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS {source_errors_index} ON {schema}.{source_checks} (key) WHERE error IS NOT NULL
