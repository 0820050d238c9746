-- A first load over several connections: each reads ranges of a table's blocks in the snapshot of the batch, and copies
-- them into one table, which becomes the merge table when the batch is committed.

-- name: room
-- Of either server: how much may run at once, how many connections are free, and whether a snapshot may be exported.
SELECT current_setting('max_parallel_workers')::integer,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend'),
    has_function_privilege('pg_export_snapshot()', 'EXECUTE')

-- name: export_snapshot
SELECT pg_export_snapshot()

-- name: import_snapshot
SET TRANSACTION SNAPSHOT {snapshot}

-- name: snapshot
-- The same in each session, unless what stands between has led one of them to another server.
SELECT pg_postmaster_start_time()::text, pg_current_snapshot()::text

-- name: transaction
-- What age() counts from is each session's own: the newest transaction when it asked first. By two numbers, as the
-- guard has it.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, age('3'::xid)::bigint

-- name: blocks
-- Of the source: the rows in a range of blocks.
COPY (
    SELECT {columns} FROM ONLY {table}
    WHERE ctid OPERATOR(pg_catalog.>=) {low}::pg_catalog.tid AND ctid OPERATOR(pg_catalog.<) {high}::pg_catalog.tid
) TO STDOUT (FORMAT {format})

-- name: leave_alone
-- Autovacuum would only read again and again what is still being written.
ALTER TABLE {staging} SET (autovacuum_enabled = false)

-- name: name_merge_table
ALTER TABLE {staging} RENAME TO {merge_title}

-- name: as_other_tables
ALTER TABLE {merge} RESET (autovacuum_enabled)
