-- What the factory reads of the merge job's batch tables. Names of tables are put in by batch_table.py.

-- name: result_of_run
-- The counter moves with each batch and each look that found nothing, so it has the newest word on its last run.
(SELECT 1, last_result_json FROM {counter} WHERE key = %(stream_key)s AND last_run_id = %(run_id)s)
UNION ALL
(SELECT 2, result_json FROM {metrics}
 WHERE key = %(stream_key)s AND run_id = %(run_id)s AND batch_status = 'committed'
 ORDER BY batch_id DESC LIMIT 1)
ORDER BY 1 LIMIT 1
