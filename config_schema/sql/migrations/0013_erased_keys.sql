-- part: batches
-- older programs: go on
-- Keys that were erased for good: no batch brings them back. A digest of each, with which nobody can find out the key
-- without the salt. Once there is one, older programs must not merge, and the row of this migration is changed to say so.
CREATE TABLE IF NOT EXISTS {schema}.{erased_keys} (
    datastore text NOT NULL,
    dataset text NOT NULL,
    digest bytea NOT NULL,
    key_form text NOT NULL,
    erased_at timestamptz NOT NULL,
    erased_by text,
    PRIMARY KEY (datastore, dataset, digest)
);
CREATE TABLE IF NOT EXISTS {schema}.{erasure_salt} (
    id integer PRIMARY KEY CHECK (id = 1),
    salt bytea NOT NULL
)
