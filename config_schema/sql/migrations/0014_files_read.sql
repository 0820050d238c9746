-- part: batches
-- older programs: go on
-- The files that batches have read, of datasets whose files are each read once. `modified` is in seconds since 1970.
CREATE TABLE IF NOT EXISTS {schema}.{files_read} (
    key text NOT NULL,
    dataset text NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    modified double precision NOT NULL,
    tag text NOT NULL,
    batch_id bigint NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (key, dataset, name)
)
