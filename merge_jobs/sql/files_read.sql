-- Files of which each is read once: what batches have read is written down with what they merge.

-- name: find
SELECT name, size, modified, tag FROM {files_read} WHERE key = %(key)s AND dataset = %(dataset)s

-- name: forget
-- All files are read again: it is the first of them that is merged here.
DELETE FROM {files_read} WHERE key = %(key)s AND dataset = %(dataset)s

-- name: record
INSERT INTO {files_read} AS line (key, dataset, name, size, modified, tag, batch_id, read_at)
VALUES (%(key)s, %(dataset)s, %(name)s, %(size)s, %(modified)s, %(tag)s, %(batch_id)s, clock_timestamp())
ON CONFLICT (key, dataset, name) DO UPDATE SET
    size = excluded.size, modified = excluded.modified, tag = excluded.tag,
    batch_id = excluded.batch_id, read_at = excluded.read_at
