-- The job model: what sync compiled of the model for a platform's jobs. Names of tables are put in by session.py.

-- name: select_job_model_state
SELECT job_model_commit, job_model_format, job_model_repository, job_model_branch, job_model_digest
FROM {model_state_table} WHERE id = 1

-- name: record_job_model_state
UPDATE {model_state_table}
SET job_model_commit = %(commit)s, job_model_format = %(format)s, job_model_repository = %(repository)s,
    job_model_branch = %(branch)s, job_model_digest = %(digest)s
WHERE id = 1

-- name: job_model_digest
-- Of the documents themselves: a row that somebody changed, or lost, changes it.
SELECT encode(sha256(convert_to(coalesce(string_agg(line, chr(10) ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex')
FROM (
    SELECT concat(kind, ' ', key, ' ', encode(sha256(convert_to(document, 'UTF8')), 'hex')) AS line
    FROM {job_model_table}
) rows

-- name: select_job_model_of_platform
SELECT document FROM {job_model_table} WHERE kind = 'platform'

-- name: select_job_model_digests
SELECT kind, key, digest, encode(sha256(convert_to(document, 'UTF8')), 'hex') FROM {job_model_table}

-- name: write_job_model_row
INSERT INTO {job_model_table} AS existing (kind, key, digest, document, model_commit)
VALUES (%(kind)s, %(key)s, %(digest)s, %(document)s, %(model_commit)s)
ON CONFLICT (kind, key) DO UPDATE
SET digest = excluded.digest, document = excluded.document, model_commit = excluded.model_commit,
    written_at = statement_timestamp()

-- name: delete_job_model_rows
-- No job needs them: a job reads its rows once, in one statement, together with the commit that they are of.
DELETE FROM {job_model_table} USING unnest(%(kinds)s::text[], %(keys)s::text[]) AS gone (kind, key)
WHERE {job_model_table}.kind = gone.kind AND {job_model_table}.key = gone.key

-- name: streams_without_job_model
SELECT stream.stream_key::text FROM {stream_table} AS stream
WHERE stream.status <> 'retired'
  AND NOT EXISTS (SELECT FROM {job_model_table} m WHERE m.kind = 'stream' AND m.key = stream.stream_key)
ORDER BY stream.stream_key COLLATE "C"

-- name: select_catalogue
-- What the platform's streams may be made of, while the rows are of the model that was synced last; the platform's own
-- row says that there are any. Of one datastore, or of all.
SELECT m.key, CASE WHEN m.kind = 'stream' THEN m.document END
FROM {job_model_table} m
JOIN {model_state_table} s ON s.id = 1 AND s.job_model_commit = s.model_commit
WHERE m.kind = 'platform' OR (m.kind = 'stream'
    AND (%(store)s::text IS NULL OR m.key = %(store)s OR starts_with(m.key, %(store)s || '#')))
ORDER BY m.kind, m.key COLLATE "C"

-- name: select_of_stream
-- What is recorded of one stream and of who gets its datasets, while the rows are of the model that was synced last.
SELECT m.kind, m.document
FROM {job_model_table} m
JOIN {model_state_table} s ON s.id = 1 AND s.job_model_commit = s.model_commit
WHERE m.kind = 'consumers' OR (m.kind = 'stream' AND m.key = %(stream_key)s)
