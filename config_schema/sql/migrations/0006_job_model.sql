-- part: streams
-- older programs: go on
-- What sync compiled of the model for jobs, a row for each stream. The model state says which commit the rows are of,
-- on which branch of which repository that commit was seen, and a digest of them all: where its commit is another one,
-- because an older program has synced since, jobs read the model by git.
CREATE TABLE IF NOT EXISTS {schema}.{job_model_table} (
    kind text NOT NULL CHECK (kind IN ('platform', 'stream', 'consumers')),
    key text NOT NULL,
    digest text NOT NULL,
    document text NOT NULL,
    model_commit text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (kind, key)
);
ALTER TABLE {schema}.{model_state_table}
    ADD COLUMN IF NOT EXISTS job_model_commit text,
    ADD COLUMN IF NOT EXISTS job_model_format integer,
    ADD COLUMN IF NOT EXISTS job_model_repository text,
    ADD COLUMN IF NOT EXISTS job_model_branch text,
    ADD COLUMN IF NOT EXISTS job_model_digest text
