-- How many locks a server has room for, and how many a batch takes there.

-- name: room
-- The documented number of slots, and what the server really allocates: its background processes have slots too.
SELECT current_setting('max_locks_per_transaction')::bigint * clients,
    current_setting('max_locks_per_transaction')::bigint * (
        clients + current_setting('max_worker_processes')::bigint + current_setting('max_wal_senders')::bigint + 3
        + coalesce(current_setting('autovacuum_worker_slots', true), current_setting('autovacuum_max_workers'))::bigint
    ),
    current_setting('max_locks_per_transaction')::bigint
FROM (SELECT current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) s (clients)

-- name: of_source
-- Locked to the end are the tables, with their partitions; while one is read its indexes and long values are too, also
-- those of other datasets that are read by the same statement. On a standby these are kept to the end as well.
WITH RECURSIVE tree (root, oid) AS (
    SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s)
    UNION
    SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
)
SELECT coalesce(sum(tables), 0)::bigint, coalesce(max(others), 0)::bigint,
    coalesce(CASE WHEN pg_is_in_recovery() THEN sum(others) ELSE sum(others) FILTER (WHERE place <= %(together)s) END, 0)::bigint
FROM (
    SELECT tables, others, row_number() OVER (ORDER BY others DESC) AS place FROM (
        SELECT count(*) AS tables, sum((SELECT count(*) FROM pg_index i WHERE i.indrelid = t.oid)) AS others
        FROM tree t GROUP BY t.root
    ) each_dataset
) in_order
