-- part: batches
-- older programs: go on
-- The result of each run, by its id, also of one that found nothing or failed before it had a batch. Until kept_until
-- at least: as long as its batches, where it has committed any.
CREATE TABLE IF NOT EXISTS {schema}.{run_results} (
    key varchar(255) NOT NULL,
    run_id text NOT NULL,
    ended_at timestamptz NOT NULL,
    kept_until timestamptz NOT NULL,
    result_json jsonb NOT NULL,
    PRIMARY KEY (key, run_id)
);
CREATE INDEX IF NOT EXISTS {run_results_ended_index} ON {schema}.{run_results} (key, ended_at);
CREATE INDEX IF NOT EXISTS {run_results_kept_index} ON {schema}.{run_results} (key, kept_until);
-- What running jobs are at, a row for each, written every other second. A row that nobody has written for a while is of
-- a job that died. There is room beside a row, so that no index changes with it.
CREATE TABLE IF NOT EXISTS {schema}.{progress} (
    key varchar(255) NOT NULL,
    run_id text NOT NULL,
    started_at timestamptz NOT NULL,
    phase text NOT NULL,
    phase_started_at timestamptz NOT NULL,
    dataset text,
    kind text,
    done bigint,
    expected bigint,
    bytes bigint,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (key, run_id)
) WITH (fillfactor = 20)
