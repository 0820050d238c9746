-- part: streams
-- older programs: go on
-- What a model that is code gave for a commit: jobs read it and run no code of the model.
CREATE TABLE IF NOT EXISTS {schema}.{compiled_model_table} (
    model_commit text NOT NULL,
    digest text NOT NULL,
    document text NOT NULL,
    compiled_at timestamptz NOT NULL,
    compiled_by text NOT NULL,
    PRIMARY KEY (model_commit, digest)
)
