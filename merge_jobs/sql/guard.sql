-- What is asked of a producer's PostgreSQL before its row versions are trusted to be those that a row map knows.

-- name: server_is_readable
-- All of this is granted to everyone, unless somebody has revoked it.
SELECT bool_and(has_function_privilege(function, 'EXECUTE')) AND has_table_privilege('pg_stat_archiver', 'SELECT')
FROM unnest(ARRAY['pg_control_system()', 'pg_current_wal_lsn()', 'pg_last_wal_replay_lsn()', 'pg_walfile_name(pg_lsn)'])
    AS needed (function)

-- name: server
-- A crash restarts the server without a new start time; it starts the statistics again.
SELECT
    (SELECT system_identifier::text FROM pg_control_system()),
    CASE WHEN pg_is_in_recovery() THEN 'standby'
         ELSE 'timeline ' || left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
    pg_postmaster_start_time()::text,
    (SELECT stats_reset::text FROM pg_stat_archiver),
    current_setting('server_version_num'),
    (SELECT oid::text FROM pg_database WHERE datname = current_database()),
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn)::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    current_setting('block_size')::integer,
    age('3'::xid)::bigint

-- name: position_is_readable
-- All of this is granted to everyone, unless somebody has revoked it.
SELECT bool_and(has_function_privilege(function, 'EXECUTE'))
FROM unnest(ARRAY['pg_control_system()', 'pg_control_checkpoint()', 'pg_control_recovery()', 'pg_walfile_name(pg_lsn)',
    'pg_current_wal_flush_lsn()', 'pg_last_wal_replay_lsn()']) AS needed (function)

-- name: position
-- How far the server has come: what is flushed outlives a crash. A standby tells its timeline only by its control file,
-- which may still have the one before.
SELECT (SELECT system_identifier::text FROM pg_control_system()),
    CASE WHEN pg_is_in_recovery() THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
            (SELECT min_recovery_end_timeline FROM pg_control_recovery()))
         ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer END,
    (coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,
        '0/0'::pg_lsn) - '0/0'::pg_lsn)::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    pg_is_in_recovery()

-- name: leaves
-- The tables that hold the rows which a query on the table reads: the table itself, its partitions, and tables that
-- inherit from it. A query leaves out a partition whose DETACH CONCURRENTLY is pending (also one that was cancelled; the
-- column is there from 14 on), and temporary children of other sessions. A user who may read the parent may lack USAGE
-- on the schema of a partition, or SELECT on the partition.
WITH RECURSIVE tree AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
    UNION
    SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relpersistence <> 't' AND NOT coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
)
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, coalesce(a.amname, ''), pg_relation_filenode(c.oid)::bigint,
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
    (SELECT bool_or(every.relrowsecurity) FROM tree u JOIN pg_class every ON every.oid = u.oid),
    coalesce(pg_relation_size(c.oid), 0)
FROM tree t
JOIN pg_class c ON c.oid = t.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_am a ON a.oid = c.relam
WHERE c.relkind <> 'p'
ORDER BY c.oid

-- name: columns
-- DROP and ADD of a column changes values and no row version, and so does a type that reads the same bits in another
-- way. The expression says what is generated, and how; a missing value comes with a number of its own. Also a hash for
-- each of the tables: partitions come and go.
WITH of_leaf AS (
    SELECT a.attrelid, pg_catalog.bool_or(a.attgenerated = 'v'::"char") AS is_virtual,
        pg_catalog.string_agg(pg_catalog.jsonb_build_array(
            a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation::bigint,
            pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        )::text, ', '::text ORDER BY a.attnum) AS described
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = ANY(%(leaves)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attname = ANY(%(columns)s::text[])
    GROUP BY a.attrelid
)
SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        coalesce('['::text || pg_catalog.string_agg(described, ', '::text ORDER BY attrelid) || ']'::text, ''), 'UTF8')), 'hex'),
    pg_catalog.bool_or(is_virtual),
    pg_catalog.jsonb_object_agg(attrelid::bigint::text, pg_catalog.substr(
        pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(described, 'UTF8')), 'hex'), 1, 16))
FROM of_leaf

-- name: types
-- Renaming an enum's label, or altering a composite type, changes values and no row version. That a column has another
-- type is seen of the columns; the types within one cannot be exchanged while a table uses it.
WITH RECURSIVE used(oid) AS (
    SELECT a.atttypid FROM pg_attribute a
    WHERE a.attrelid = ANY(%(leaves)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY(%(columns)s)
    UNION
    SELECT part.oid FROM used u JOIN pg_type t ON t.oid = u.oid CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typelem <> 0
        UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
        UNION ALL SELECT a.atttypid FROM pg_attribute a
            WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
    ) part(oid)
)
SELECT encode(sha256(convert_to(coalesce(jsonb_agg(CASE t.typtype
        WHEN 'e' THEN (SELECT jsonb_agg(e.enumlabel ORDER BY e.oid) FROM pg_enum e WHERE e.enumtypid = t.oid)
        WHEN 'c' THEN (SELECT jsonb_agg(a.attnum ORDER BY a.attnum) FROM pg_attribute a
                       WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    END ORDER BY t.oid) FILTER (WHERE t.typtype IN ('e', 'c'))::text, ''), 'UTF8')), 'hex'),
    bool_or(t.oid < 16384 AND (t.typname ~ '^reg' OR t.typname = 'money'))
FROM used u JOIN pg_type t ON t.oid = u.oid

-- name: key_types
-- There is no array of arrays, in which a row map would keep such a key, and one of composites is unnested too far.
SELECT bool_or(t.typcategory IN ('A', 'C')) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY(%(leaves)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY(%(key)s)
