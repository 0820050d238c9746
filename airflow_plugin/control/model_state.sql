-- What sync has recorded of the model. Names of tables are put in by the session.

-- name: select_model_commit
SELECT model_commit FROM {model_state_table} WHERE id = 1

-- name: record_model_commit
INSERT INTO {model_state_table} AS state (id, model_commit, applied_at, applied_by)
VALUES (1, %(model_commit)s, statement_timestamp(), %(applied_by)s)
ON CONFLICT (id) DO UPDATE
SET model_commit = excluded.model_commit, applied_at = excluded.applied_at, applied_by = excluded.applied_by

-- name: record_compiled_model
INSERT INTO {compiled_model_table} (model_commit, digest, document, compiled_at, compiled_by)
VALUES (%(model_commit)s, %(digest)s, %(document)s, statement_timestamp(), %(compiled_by)s)
ON CONFLICT (model_commit, digest) DO UPDATE
SET document = excluded.document, compiled_at = excluded.compiled_at, compiled_by = excluded.compiled_by

-- name: forget_old_compiled_models
DELETE FROM {compiled_model_table}
WHERE model_commit IN (
    SELECT model_commit FROM {compiled_model_table} ORDER BY compiled_at DESC, model_commit OFFSET %(kept)s
)

-- name: select_compiled_models
SELECT document FROM {compiled_model_table} WHERE model_commit = %(model_commit)s
