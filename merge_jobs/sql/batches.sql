-- What a batch goes through in the batch tables of its platform: started, ingested, committed or failed.

-- name: count_tables
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s)

-- name: last_batch
-- The counter, or the last committed batch should the counter have been lost: ids are never given twice.
SELECT greatest(
    (SELECT current_batch FROM {counter} WHERE key = %(key)s),
    (SELECT max(batch_id) FROM {metrics} WHERE key = %(key)s AND batch_status = 'committed'),
    0
)

-- name: schema_of_batch
-- A fingerprint of the stream's datasets; NULL of a batch whose JSON is gone.
SELECT state ->> 'schema' FROM {metrics} WHERE key = %(key)s AND batch_id = %(batch_id)s

-- name: result_of_run
-- The newest word on a run: the counter moves with each batch and each look that found nothing.
(SELECT 1, last_result_json FROM {counter} WHERE key = %(key)s AND last_run_id = %(run_id)s)
UNION ALL
(SELECT 2, result_json FROM {metrics} WHERE key = %(key)s AND run_id = %(run_id)s AND batch_status = 'committed'
 ORDER BY batch_id DESC LIMIT 1)
ORDER BY 1 LIMIT 1

-- name: open_batch
SELECT batch_status, run_id, source_snapshot_time, state FROM {metrics}
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status <> 'committed'

-- name: source_is_accepted
-- Whether a reset has let the open batch take the source as it is.
SELECT coalesce((state ->> 'accept_source')::boolean, false) FROM {metrics}
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status <> 'committed'

-- name: delete_approvals
-- By dataset. One that has expired counts no more.
SELECT jsonb_object_agg(of.dataset, of.approval)
FROM {metrics} batch, jsonb_each(batch.state -> 'delete_approvals') of (dataset, approval)
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status <> 'committed'
    AND (of.approval ->> 'until')::timestamptz > clock_timestamp()

-- name: refused_delete
SELECT state -> 'refused_delete' FROM {metrics}
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'failed'

-- name: approve_delete
-- Only what was refused, as it was refused. The batch is begun again with it, and once it is committed it is no other's.
UPDATE {metrics} SET state = state || jsonb_build_object(
    'delete_approvals', coalesce(state -> 'delete_approvals', '{{}}') || jsonb_build_object(
        %(dataset)s::text, jsonb_build_object(
            'rows', %(rows)s::bigint, 'by', %(by)s::text, 'at', clock_timestamp(),
            'until', clock_timestamp() + %(valid_for)s::interval
        )
    )
)
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'failed'
    AND state #>> '{{refused_delete,dataset}}' = %(dataset)s
    AND (state #>> '{{refused_delete,rows}}')::bigint = %(rows)s::bigint
RETURNING (state #>> ARRAY['delete_approvals', %(dataset)s::text, 'until'])::timestamptz

-- name: source_position
-- Where the source stood when the batch was read; NULL of a batch of an older job, or of another kind of source.
SELECT state -> 'source_position' FROM {metrics}
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'committed'

-- name: move_position
UPDATE {metrics} SET state = state || jsonb_build_object('source_position', %(position)s::jsonb)
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'committed'

-- name: start_batch
-- A batch that was left started, ingested or failed is begun again under its id.
INSERT INTO {metrics} AS batch (key, batch_id, batch_start_time, batch_status, state, run_id, model_commit)
VALUES (%(key)s, %(batch_id)s, clock_timestamp(), 'started', %(state)s, %(run_id)s, %(model_commit)s)
ON CONFLICT (key, batch_id) DO UPDATE SET
    batch_start_time = excluded.batch_start_time, batch_end_time = NULL, batch_status = 'started',
    records_inserted = NULL, records_updated = NULL, records_deleted = NULL, total_records = NULL,
    state = excluded.state, run_id = excluded.run_id, result_json = NULL, source_snapshot_time = NULL,
    model_commit = excluded.model_commit, strategy = NULL, error = NULL, retryable = NULL
WHERE batch.batch_status <> 'committed'

-- name: is_ours
-- Whether this job's attempt is the one that the batch's row has.
SELECT EXISTS (
    SELECT FROM {metrics} WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status IN ('started', 'ingested')
        AND state ->> 'attempt' = %(attempt)s
)

-- name: reset_batch
-- Under a new attempt: a job that still believes to be at the batch can no longer commit it.
UPDATE {metrics} SET batch_start_time = clock_timestamp(), batch_end_time = NULL, batch_status = 'started',
    state = %(state)s, run_id = %(run_id)s, source_snapshot_time = NULL, model_commit = %(model_commit)s,
    strategy = NULL, error = NULL, retryable = NULL
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status <> 'committed'

-- name: take_over_batch
-- Go on from what another run has ingested.
UPDATE {metrics} SET run_id = %(run_id)s, model_commit = %(model_commit)s, state = %(state)s
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'ingested'

-- name: batch_ingested
UPDATE {metrics} SET batch_status = 'ingested', state = %(state)s, source_snapshot_time = %(snapshot_time)s,
    strategy = %(strategy)s
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'started' AND state ->> 'attempt' = %(attempt)s

-- name: batch_committed
UPDATE {metrics} SET batch_status = 'committed', batch_end_time = clock_timestamp(),
    records_inserted = %(inserted)s, records_updated = %(updated)s, records_deleted = %(deleted)s,
    total_records = %(total)s, result_json = %(result)s, source_snapshot_time = %(snapshot_time)s,
    strategy = %(strategy)s, state = %(state)s
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status IN ('started', 'ingested')
    AND state ->> 'attempt' = %(attempt)s

-- name: batch_removed
-- A look that found nothing leaves no batch.
DELETE FROM {metrics} WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status IN ('started', 'ingested')
    AND state ->> 'attempt' = %(attempt)s

-- name: is_committed_by_us
-- Whether the batch's row is what this job's attempt has made of it; before the transaction that writes it is committed.
SELECT EXISTS (
    SELECT FROM {metrics} WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status = 'committed'
        AND state ->> 'attempt' = %(attempt)s
)

-- name: is_removed
SELECT NOT EXISTS (SELECT FROM {metrics} WHERE key = %(key)s AND batch_id = %(batch_id)s)

-- name: move_counter
INSERT INTO {counter} AS stream (key, current_batch, last_checked_at, last_run_id, last_result_json)
VALUES (%(key)s, %(batch_id)s, clock_timestamp(), %(run_id)s, %(result)s)
ON CONFLICT (key) DO UPDATE SET
    current_batch = excluded.current_batch, last_checked_at = excluded.last_checked_at,
    last_run_id = excluded.last_run_id, last_result_json = excluded.last_result_json

-- name: judged_before
-- The reference checks that the last look at the source judged, and the values that it measured; NULL where it was an
-- older job's.
SELECT last_result_json -> 'references', last_result_json -> 'measured' FROM {counter} WHERE key = %(key)s

-- name: mean_of_earlier
-- Of what a check has measured in the last batches; of a row count, of the rows.
SELECT avg(coalesce((of_check ->> 'value')::numeric, (earlier.of #>> '{{counts,total}}')::numeric))
FROM (
    SELECT result_json -> 'datasets' -> %(dataset)s AS of FROM {metrics}
    WHERE key = %(key)s AND batch_id < %(batch_id)s AND batch_status = 'committed' AND result_json IS NOT NULL
    ORDER BY batch_id DESC LIMIT %(batches)s
) earlier, jsonb_array_elements(earlier.of -> 'quality') of_check
WHERE of_check ->> 'check' = %(check)s AND of_check ->> 'kind' = %(kind)s

-- name: fold_run
-- Of all batches of one run the last one's row stays, with what they did together.
WITH folded AS (
    DELETE FROM {metrics} WHERE key = %(key)s AND run_id = %(run_id)s AND batch_id < %(batch_id)s
        AND batch_status = 'committed'
    RETURNING batch_start_time, records_inserted, records_updated, records_deleted
), together AS (
    SELECT min(batch_start_time) AS start, sum(records_inserted) AS inserted, sum(records_updated) AS updated,
        sum(records_deleted) AS deleted FROM folded HAVING count(*) > 0
)
UPDATE {metrics} batch SET
    batch_start_time = together.start, records_inserted = batch.records_inserted + together.inserted,
    records_updated = batch.records_updated + together.updated,
    records_deleted = batch.records_deleted + together.deleted
FROM together WHERE batch.key = %(key)s AND batch.batch_id = %(batch_id)s

-- name: forget_old_batches
-- Bounded: of the oldest hundred, which the primary key finds.
DELETE FROM {metrics} batch
USING (SELECT batch_id FROM {metrics} WHERE key = %(key)s AND batch_id <= %(before)s ORDER BY batch_id LIMIT 100) oldest
WHERE batch.key = %(key)s AND batch.batch_id = oldest.batch_id AND batch.batch_status = 'committed'
    AND batch.batch_end_time < clock_timestamp() - %(kept_for)s::interval

-- name: empty_old_batches
-- Of forensic streams: ids, times and counts stay. Of the oldest hundred that still tell more, which an index finds.
UPDATE {metrics} batch SET result_json = NULL, state = '{{}}'
FROM (
    SELECT batch_id FROM {metrics} WHERE key = %(key)s AND batch_id <= %(before)s AND result_json IS NOT NULL
    ORDER BY batch_id LIMIT 100
) oldest
WHERE batch.key = %(key)s AND batch.batch_id = oldest.batch_id AND batch.batch_status = 'committed'
    AND batch.batch_end_time < clock_timestamp() - %(kept_for)s::interval

-- name: batch_failed
-- By status and attempt: neither a committed batch nor another job's is ever hidden.
UPDATE {metrics} SET batch_status = 'failed', batch_end_time = clock_timestamp(), error = %(error)s,
    retryable = %(retryable)s, state = state || %(found)s::jsonb
WHERE key = %(key)s AND batch_id = %(batch_id)s AND batch_status IN ('started', 'ingested')
    AND state ->> 'attempt' = %(attempt)s

-- name: forget_rejected_keys
DELETE FROM {rejected} WHERE key = %(key)s AND dataset = ANY(%(datasets)s)

-- name: keep_rejected_key
INSERT INTO {rejected} (key, batch_id, dataset, reason, rejected_key, row_count)
VALUES (%(key)s, %(batch_id)s, %(dataset)s, %(reason)s, %(rejected_key)s, %(row_count)s)

-- name: valid_time
-- The time that a batch's versions hold from. The snapshot's own time where it lies between the last batch's time and
-- the merge store's clock; else the source's clock is wrong, and the merge store's counts. Never before the last batch's.
SELECT CASE WHEN taken >= coalesce(last_time, taken) AND taken <= clock THEN taken ELSE greatest(last_time, clock) END, clock
FROM (SELECT clock_timestamp() AS clock, %(taken)s::timestamptz AS taken) now
LEFT JOIN (SELECT source_snapshot_time AS last_time FROM {metrics}
           WHERE key = %(key)s AND batch_id = %(last_batch)s AND batch_status = 'committed') last ON true

-- name: take_lock
SELECT pg_try_advisory_lock(%(lock)s)

-- name: lock_is_held
-- A proxy that pools transactions may have given us another session: its lock would protect nothing.
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = 1
        AND (classid::bigint << 32 | objid::bigint) = %(lock)s
)

-- name: lock_holder
SELECT l.pid, a.application_name FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = %(lock)s

-- name: release_lock
-- Of a server process of a pool that is no longer ours: by itself, if it is ours again, else with its end. No row once
-- it does not hold the lock.
SELECT CASE WHEN l.pid = pg_backend_pid() THEN pg_advisory_unlock(%(lock)s)
            WHEN a.state = 'idle' THEN pg_terminate_backend(l.pid) END
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid = %(pid)s
    AND (l.classid::bigint << 32 | l.objid::bigint) = %(lock)s

-- name: store_stats_reset
-- A crash of the server, which empties unlogged tables, starts the statistics again.
SELECT stats_reset FROM pg_stat_archiver

-- name: recorded_commit
SELECT model_commit FROM {model_state} WHERE id = 1

-- name: job_model
-- The commit that sync recorded, and rows of the job model: read in one statement, they are of one sync.
SELECT s.model_commit, s.job_model_commit, s.job_model_format, s.job_model_repository, s.job_model_branch,
       m.kind, m.key, m.digest, m.document
FROM {model_state} s LEFT JOIN {job_model} m
    ON m.kind = ANY (%(kinds)s::text[])
    AND (m.kind <> 'stream' OR %(keys)s::text[] IS NULL OR m.key = ANY (%(keys)s::text[]))
WHERE s.id = 1

-- name: compiled_model
SELECT document FROM {compiled_model} WHERE model_commit = %(model_commit)s AND digest = %(digest)s
