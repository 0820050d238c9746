-- Change feed: the source's log, decoded by pgoutput, tells which keys may have changed. Rows are read in the batch's
-- snapshot as ever: what must hold is that no key is missed of all that the snapshot sees.

-- name: tables
-- In the batch's snapshot: the publication, and of each table whether that publishes it, and what of it. A row's xmin
-- is another one after each ALTER, also after one that was taken back.
SELECT c.oid::bigint, c.relkind::text, c.relreplident::text,
    (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum = ANY(i.indkey)),
    p.oid IS NOT NULL, p.pubinsert AND p.pubupdate AND p.pubdelete, r.prqual IS NOT NULL,
    (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum = ANY(r.prattrs)),
    EXISTS (SELECT FROM pg_publication_tables t
        WHERE t.pubname = p.pubname AND t.schemaname = n.nspname AND t.tablename = c.relname),
    p.puballtables OR r.oid IS NOT NULL OR s.oid IS NOT NULL,
    jsonb_build_array(
        c.oid::bigint, c.xmin::text, i.indexrelid::bigint, p.oid::bigint, p.xmin::text, r.oid::bigint, r.xmin::text,
        s.oid::bigint, s.xmin::text
    )
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid
    AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)
LEFT JOIN pg_publication p ON p.pubname = %(publication)s
LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
LEFT JOIN pg_publication_namespace s ON s.pnpubid = p.oid AND s.pnnspid = n.oid
WHERE n.nspname = %(schema)s AND c.relname = %(table)s

-- name: slot
-- The slot and where it stands: before the batch's snapshot, and once it has been read. By JSON, as columns differ by
-- version.
SELECT to_jsonb(s), (s.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint,
    (pg_current_wal_lsn() - coalesce(s.restart_lsn, pg_current_wal_lsn()))::bigint
FROM (VALUES (true)) one (row) LEFT JOIN pg_replication_slots s ON s.slot_name = %(slot)s

-- name: server
SELECT pg_is_in_recovery(), current_setting('wal_level'), current_database(),
    (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user),
    current_setting('max_replication_slots')::integer, (SELECT count(*) FROM pg_replication_slots),
    -- A position in the log means nothing to a server that was promoted or restored.
    (SELECT system_identifier::text FROM pg_control_system()) || ' ' || pg_postmaster_start_time()::text

-- name: own_transaction
-- Later than any that has been in the log until now: the end of a snapshot is only that of those that are complete.
SELECT pg_current_xact_id()::text::bigint

-- name: oldest_running
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: snapshot
-- Of the batch: what it sees, and how far the log has come by now: all that it sees stands before that. And which server
-- that is: a balancer or a name may have led this session to another one than the feed's.
SELECT pg_current_snapshot()::text,
    CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint END,
    (SELECT system_identifier::text FROM pg_control_system()) || ' ' || pg_postmaster_start_time()::text

-- name: flushed
SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint

-- name: flush
-- A commit of our own that is written at once takes with it what stands before it, also that of commits that did not
-- wait. It changes nothing, and is not waited for at a standby.
SET LOCAL synchronous_commit = 'local'; SELECT pg_logical_emit_message(true, 'stream-factory', '')

-- name: peek
-- What the log has of the publication's tables, transaction by transaction in the order of their commits.
COPY (
    SELECT data FROM pg_logical_slot_peek_binary_changes({slot}, {upto}::pg_lsn, {most}, 'proto_version', '1',
        'publication_names', quote_ident({publication}))
) TO STDOUT (FORMAT binary)

-- name: has_news
-- Between two batches of a time slice: whether the log has anything of the publication's tables, or has become long.
SELECT EXISTS (SELECT FROM pg_logical_slot_peek_binary_changes(%(slot)s, NULL, 1, 'proto_version', '1',
    'publication_names', quote_ident(%(publication)s)))

-- name: advance
SELECT pg_replication_slot_advance(%(slot)s, %(upto)s::pg_lsn)

-- name: create_slot
SELECT pg_create_logical_replication_slot(%(slot)s, 'pgoutput')

-- name: drop_slot
SELECT pg_drop_replication_slot(%(slot)s)

-- name: rows
-- Of the source, in the batch's snapshot: the rows that have one of these keys now.
COPY (
    SELECT {columns} FROM ONLY {table} t WHERE EXISTS (
        SELECT FROM ROWS FROM ({keys}) k ({key_names}) WHERE {equal}
    )
) TO STDOUT (FORMAT {format})

-- name: copy_keys
COPY {staged_map} FROM STDIN

-- name: save_positions
-- Where the feed is, and what it was read by, of each dataset of the stream: NULL for one that it does not tell of.
UPDATE {row_maps} m SET guard = CASE
    WHEN jsonb_typeof(f.feed) = 'object' THEN m.guard || jsonb_build_object('feed', f.feed)
    ELSE m.guard - 'feed' END
FROM jsonb_each(%(feeds)s) f (dataset, feed) WHERE m.key = %(key)s AND m.dataset = f.dataset
    AND jsonb_typeof(m.guard) = 'object' AND m.guard -> 'feed' IS DISTINCT FROM CASE WHEN jsonb_typeof(f.feed) = 'object' THEN f.feed END
