-- part: batches
-- older programs: go on
-- current_batch is the last committed batch of a stream; the last_ columns move at every look at the source.
CREATE TABLE IF NOT EXISTS {schema}.{counter} (
    key varchar(255) PRIMARY KEY,
    current_batch integer NOT NULL DEFAULT 0,
    last_checked_at timestamptz,
    last_run_id text,
    last_result_json jsonb
);
CREATE TABLE IF NOT EXISTS {schema}.{metrics} (
    key varchar(255) NOT NULL,
    batch_id integer NOT NULL,
    batch_start_time timestamptz NOT NULL,
    batch_end_time timestamptz,
    batch_status varchar(32) NOT NULL CHECK (batch_status IN ('started', 'ingested', 'committed', 'failed')),
    records_inserted bigint,
    records_updated bigint,
    records_deleted bigint,
    total_records bigint,
    state jsonb NOT NULL,
    run_id text NOT NULL,
    result_json jsonb,
    source_snapshot_time timestamptz,
    model_commit text,
    strategy text,
    error text,
    retryable boolean,
    PRIMARY KEY (key, batch_id)
);
CREATE INDEX IF NOT EXISTS {run_index} ON {schema}.{metrics} (key, run_id);
CREATE TABLE IF NOT EXISTS {schema}.{rejected} (
    key varchar(255) NOT NULL,
    batch_id integer NOT NULL,
    dataset text NOT NULL,
    reason text NOT NULL,
    rejected_key jsonb NOT NULL,
    row_count bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS {schema}.{row_maps} (
    key varchar(255) NOT NULL,
    dataset text NOT NULL,
    kind text,
    guard jsonb,
    batch_id integer,
    full_at timestamptz,
    distrusted text,
    PRIMARY KEY (key, dataset)
)
