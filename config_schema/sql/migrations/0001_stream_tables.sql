-- part: streams
-- older programs: go on
-- The stream table, its history and the model state. A stream table that was made elsewhere stays as it is.
CREATE TABLE IF NOT EXISTS {schema}.{stream_table} (
    stream_key varchar(255) PRIMARY KEY,
    config_json text NOT NULL,
    status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'retired')),
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
-- before_* is NULL for a new row. model_commit is NULL for a change made by hand.
CREATE TABLE IF NOT EXISTS {schema}.{history_table} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_key varchar(255) NOT NULL,
    change varchar(20) NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    model_commit text,
    before_config_json text,
    before_status varchar(50),
    after_config_json text NOT NULL,
    after_status varchar(50) NOT NULL
);
CREATE INDEX IF NOT EXISTS {history_index} ON {schema}.{history_table} (stream_key, id);
-- One row: the commit that jobs check out.
CREATE TABLE IF NOT EXISTS {schema}.{model_state_table} (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    model_commit text NOT NULL,
    applied_at timestamptz NOT NULL,
    applied_by text NOT NULL
)
