-- What a forensic merge table looked like at a batch, or at a time. The functions are plain enough for the planner to
-- put them into the query that calls them: a filter on the key is then answered by an index.

-- name: told
-- What stands under the function's name, by its comment.
SELECT obj_description(p.oid, 'pg_proc') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s AND p.proname = %(function)s

-- name: create_past_index
-- Open versions have the unique index of the key, closed ones have this.
CREATE INDEX IF NOT EXISTS {past_index} ON {merge} ({key}) WHERE ds_batch_out <> 2147483647

-- name: at_batch
-- In two halves, each of which has an index.
SELECT {columns} FROM {merge} WHERE ds_batch_out = 2147483647 AND ds_batch_in <= $1
UNION ALL
SELECT {columns} FROM {merge} WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= $1 AND ds_batch_out > $1

-- name: at_time
-- The batch of the newest snapshot that is not younger; before the first there is none, so there are no rows.
SELECT {columns} FROM {merge} WHERE ds_batch_out = 2147483647 AND ds_batch_in <= ({batch})
UNION ALL
SELECT {columns} FROM {merge} WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= ({batch}) AND ds_batch_out > ({batch})

-- name: batch_at
SELECT batch_id FROM {metrics}
WHERE key = {stream} AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1

-- name: drop_functions
DROP FUNCTION IF EXISTS {function}(integer);
DROP FUNCTION IF EXISTS {function}(timestamptz)

-- name: create_functions
-- Their arguments have no names: the model's columns may have any.
CREATE FUNCTION {function}(integer) RETURNS TABLE ({returned}) LANGUAGE sql STABLE AS {at_batch};
CREATE FUNCTION {function}(timestamptz) RETURNS TABLE ({returned}) LANGUAGE sql STABLE AS {at_time};
COMMENT ON FUNCTION {function}(integer) IS {comment};
COMMENT ON FUNCTION {function}(timestamptz) IS {comment}
