-- A merge table that is brought to a changed model.

-- name: lock_timeout
SELECT extract(epoch FROM current_setting('lock_timeout')::interval)

-- name: before_a_try
SAVEPOINT before_a_try

-- name: wait_for_locks
SELECT set_config('lock_timeout', %(timeout)s, true)

-- name: lock_to_change
-- Readers of the merge table wait from here until the batch is committed.
LOCK TABLE {merge} IN ACCESS EXCLUSIVE MODE

-- name: back_to_before_a_try
ROLLBACK TO SAVEPOINT before_a_try

-- name: alter_merge_table
-- All in one statement: where types must be rewritten, the table is rewritten once.
ALTER TABLE {merge} {alterations}
