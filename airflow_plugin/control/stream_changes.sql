-- Which streams have changed since the dag-processor last looked. Names of tables are put in by stream_changes.py.

-- name: look_at_changes
-- By the index of the revision table. What a transaction wrote is news where the last look's snapshot did not see that
-- transaction: neither the order of commits nor any clock comes into it. The place says whether this is the server and
-- these are the tables that were looked at before; after a restore the numbers of transactions mean something else, and
-- some are of transactions that are yet to come here.
WITH looked AS (
    SELECT pg_catalog.pg_current_snapshot()::text AS snapshot,
           concat_ws(':', extract(epoch FROM pg_postmaster_start_time()), pg_relation_filenode(to_regclass(%(table)s)),
                     pg_relation_filenode(to_regclass(%(revisions)s))) AS place
)
SELECT looked.snapshot, looked.place, changed.stream_key::text,
       CASE WHEN stream.stream_key IS NOT NULL
            THEN hashtextextended(concat_ws(chr(31), stream.stream_key, stream.status, stream.config_json), 0) END,
       stream.status = 'retired', stream.status <> 'retired' OR stream.updated_at > statement_timestamp() - interval '7 days'
FROM looked
LEFT JOIN {revision_table} AS changed
    ON changed.changed_in >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
    AND changed.changed_in < pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
    AND NOT pg_visible_in_snapshot(changed.changed_in, %(seen)s::pg_snapshot)
LEFT JOIN {stream_table} AS stream ON stream.stream_key = changed.stream_key

-- name: look_at_all
-- All rows, or none where the table still has the known token, which is made as that of `read_table` is. Without the
-- trigger, or while it is disabled, the revisions tell nothing.
WITH looked AS (
    SELECT pg_catalog.pg_current_snapshot()::text AS snapshot,
           concat_ws(':', extract(epoch FROM pg_postmaster_start_time()), pg_relation_filenode(to_regclass(%(table)s)),
                     pg_relation_filenode(to_regclass(%(revisions)s))) AS place,
           coalesce(has_table_privilege(to_regclass(%(revisions)s)::oid, 'SELECT'), false)
               AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(%(table)s) AND tgname = %(trigger)s
                           AND tgenabled IN ('O', 'A')) AS has_revisions
), state AS (
    SELECT concat(count(*), ':', sum(hashtextextended(concat_ws(chr(31), stream_key, status, config_json), 0))) AS token
    FROM {stream_table}
)
SELECT looked.snapshot, looked.place, looked.has_revisions, state.token, stream.stream_key::text,
       hashtextextended(concat_ws(chr(31), stream.stream_key, stream.status, stream.config_json), 0),
       stream.status = 'retired', stream.status <> 'retired' OR stream.updated_at > statement_timestamp() - interval '7 days'
FROM looked, state LEFT JOIN {stream_table} AS stream ON state.token <> %(known)s
