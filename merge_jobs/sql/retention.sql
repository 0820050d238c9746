-- Closed versions of a forensic merge table that are older than its dataset keeps them.

-- name: create_closed_index
-- By it the oldest closed versions are found at once.
CREATE INDEX IF NOT EXISTS {closed_index} ON {merge} (ds_batch_out) WHERE ds_batch_out <> 2147483647

-- name: horizon
-- The newest batch that ended so long ago, of the few after the one that closed the oldest version: none where that is
-- younger. Ages are by the merge store's clock.
SELECT max(batch_id) FROM (
    SELECT batch_id, batch_end_time FROM {metrics}
    WHERE key = %(key)s AND batch_status = 'committed' AND batch_id >= (
        SELECT min(ds_batch_out) FROM {merge} WHERE ds_batch_out <> 2147483647
    )
    ORDER BY batch_id LIMIT %(batches)s
) oldest WHERE batch_end_time < clock_timestamp() - make_interval(days => %(days)s)

-- name: forget_closed
-- Bounded: the oldest first, the others by later batches.
DELETE FROM {merge} WHERE ctid IN (
    SELECT ctid FROM {merge} WHERE ds_batch_out <> 2147483647 AND ds_batch_out <= %(horizon)s
    ORDER BY ds_batch_out LIMIT %(limit)s
)
