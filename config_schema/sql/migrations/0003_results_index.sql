-- part: batches
-- older programs: go on
-- The index by which old batches that still have their JSON are found: renamed, or made where the table is new.
ALTER INDEX IF EXISTS {schema}.{old_results_index} RENAME TO {results_index};
CREATE INDEX IF NOT EXISTS {results_index} ON {schema}.{metrics} (key, batch_id) WHERE result_json IS NOT NULL
