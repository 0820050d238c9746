-- What consumers see: their views, and what is read of the catalogue to keep them equal to the model.

-- name: live
SELECT {columns} FROM {merge} m

-- name: open
SELECT {columns} FROM {merge} m WHERE m.ds_batch_out = 2147483647

-- name: full
-- In two halves, each of which has an index on the key. Who does not ask for the times does not pay for the joins.
SELECT {open_columns} FROM {merge} m
LEFT JOIN {metrics} i ON i.key = {stream} AND i.batch_id = m.ds_batch_in
WHERE m.ds_batch_out = 2147483647
UNION ALL
SELECT {closed_columns} FROM {merge} m
LEFT JOIN {metrics} i ON i.key = {stream} AND i.batch_id = m.ds_batch_in
LEFT JOIN {metrics} o ON o.key = {stream} AND o.batch_id = m.ds_batch_out
WHERE m.ds_batch_out <> 2147483647

-- name: asof
-- By views only, so that it needs no rights of its own; plain enough for the planner to put it into the caller's query,
-- and qualified, as it is read with the caller's search_path.
SELECT {columns} FROM {full} WHERE ds_batch_in OPERATOR(pg_catalog.<=) ({batch}) AND ds_batch_out OPERATOR(pg_catalog.>) ({batch}){and_in_source_at}

-- name: asof_valid_time
-- By the times of the source, where a column of it says from when a version is valid.
SELECT {columns} FROM {full} WHERE ds_valid_from OPERATOR(pg_catalog.<=) $1
    AND (ds_valid_to IS NULL OR ds_valid_to OPERATOR(pg_catalog.>) $1)

-- name: batch_at
-- The newest batch that is valid from that time or earlier, as the merge store's own functions have it (as_of.sql).
SELECT batch_id FROM {batches}
WHERE stream OPERATOR(pg_catalog.=) {stream} AND (
    snapshot_time OPERATOR(pg_catalog.<=) $1 OR committed_at OPERATOR(pg_catalog.<=) $1 OR $1 OPERATOR(pg_catalog.>=) pg_catalog.statement_timestamp()
    OR ($1 OPERATOR(pg_catalog.=) pg_catalog.now() AND committed_at OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp())
)
ORDER BY batch_id DESC LIMIT 1

-- name: batches
SELECT key::text AS stream, batch_id, source_snapshot_time AS snapshot_time, batch_end_time AS committed_at
FROM {metrics} WHERE batch_status = 'committed' AND key IN ({streams})

-- name: freshness
-- A stream that has nothing new moves its counter, not its last batch. A minute over the need passes: Airflow needs some
-- of it to start a run. A time that lies more than that ahead of the clock, which was set back since, says nothing.
SELECT {group}::text AS dataset_group, {platform}::text AS platform, {store}::text AS datastore,
    {dataset}::text AS dataset, c.current_batch AS last_batch, b.batch_end_time AS last_batch_at,
    seen.at AS fresh_at,
    greatest(statement_timestamp() - seen.at, interval '0') AS age,
    {latency}::integer * interval '1 second' AS latency,
    CASE WHEN {latency}::integer IS NOT NULL THEN coalesce(
        statement_timestamp() - seen.at BETWEEN interval '-1 minute'
            AND {latency}::integer * interval '1 second' + interval '1 minute', false) END AS met,
    {view}::text AS view_name
FROM (SELECT {stream}::text AS key) wanted
LEFT JOIN {counter} c ON c.key = wanted.key
LEFT JOIN {metrics} b ON b.key = wanted.key AND b.batch_id = c.current_batch
CROSS JOIN LATERAL (SELECT coalesce(c.last_checked_at, b.batch_end_time)) seen (at)

-- name: wait_for_locks
SELECT set_config('lock_timeout', %(timeout)s, true)

-- name: lock_workspace
SELECT pg_advisory_xact_lock(%(lock)s)

-- name: tables
-- The columns of tables as they are, and their comments; but not of what somebody else has made who may create in the
-- schema: functions of its policies, or of a view in its place, would be called as who reads our view.
SELECT c.relname, c.oid::bigint, a.attname, format_type(a.atttypid, a.atttypmod), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s)
    AND (pg_has_role(c.relowner, 'USAGE') OR pg_has_role(c.relowner, current_user, 'USAGE')
         OR NOT has_schema_privilege(n.oid, 'CREATE'))
ORDER BY c.relname, a.attnum

-- name: schemas
-- Only the owner's word says whose a schema is: who owns it can put anything in the place of a view in it.
SELECT n.nspname, found.mark FROM pg_namespace n
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_has_role(n.nspowner, 'USAGE') THEN obj_description(n.oid, 'pg_namespace') END AS mark
) found
WHERE n.nspname = ANY(%(schemas)s) OR found.mark LIKE %(ours)s

-- name: relations
-- What stands in a schema, whosever it is: kind, columns, comment, and what uses it that is not its own rule. Only the
-- owner's word says that it is ours.
SELECT c.relname, c.relkind = 'v', CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN obj_description(c.oid, 'pg_class') END,
    (SELECT array_agg(ARRAY[a.attname::text, format_type(a.atttypid, a.atttypmod)] ORDER BY a.attnum)
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    ARRAY(SELECT DISTINCT coalesce('view ' || r.ev_class::regclass::text,
                                   pg_describe_object(d.classid, d.objid, 0))
          FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
          WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                 OR d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype) AND d.deptype <> 'i'
              AND r.ev_class IS DISTINCT FROM c.oid ORDER BY 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind NOT IN ('i', 'I', 't')

-- name: functions
SELECT p.proname, p.proargtypes[0] = 'timestamptz'::regtype AND p.pronargs = 1,
    CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN obj_description(p.oid, 'pg_proc') END,
    ARRAY(SELECT DISTINCT coalesce('view ' || r.ev_class::regclass::text,
                                   pg_describe_object(d.classid, d.objid, 0))
          FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
          WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid ORDER BY 1)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s

-- name: rights
-- Who may do what with the schema and with what is in it; not the owner's own rights.
SELECT kind, name, pg_get_userbyid(nullif(a.grantee, 0))::text, a.privilege_type::text, a.is_grantable
FROM (SELECT 'SCHEMA', n.nspname::text, n.nspacl, n.nspowner FROM pg_namespace n WHERE n.nspname = %(schema)s
      UNION ALL
      SELECT 'TABLE', c.relname, c.relacl, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = %(schema)s AND c.relkind = 'v'
      UNION ALL
      SELECT 'FUNCTION', p.proname, p.proacl, p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = %(schema)s AND p.pronargs = 1 AND p.proargtypes[0] = 'timestamptz'::regtype
) AS object (kind, name, acl, owner) CROSS JOIN LATERAL aclexplode(object.acl) a
WHERE a.grantee <> object.owner

-- name: roles
SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles
WHERE rolname = ANY(%(roles)s) OR shobj_description(oid, 'pg_authid') LIKE %(ours)s

-- name: may
-- What the session's user may do of what the reconciler needs; a database that is open to all needs no grant.
SELECT current_user, current_database(),
    (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user),
    (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()),
    ARRAY(SELECT r.rolname FROM pg_roles r
          WHERE r.rolname = ANY(%(roles)s) AND NOT has_database_privilege(r.oid, current_database(), 'CONNECT')),
    ARRAY(SELECT r.rolname FROM pg_database d CROSS JOIN aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee
          WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT'),
    has_database_privilege('public', current_database(), 'CONNECT')

-- name: create_schema
CREATE SCHEMA {schema};
COMMENT ON SCHEMA {schema} IS {comment}

-- name: drop_schema
DROP SCHEMA {schema}

-- name: create_view
CREATE VIEW {view} WITH (security_barrier = {hides_rows}) AS
{query};
COMMENT ON VIEW {view} IS {comment}

-- name: replace_view
-- Where it stands, with the rights on it and whatever uses it.
CREATE OR REPLACE VIEW {view} WITH (security_barrier = {hides_rows}) AS
{query};
COMMENT ON VIEW {view} IS {comment}

-- name: rename
-- ALTER TABLE renames a view too.
ALTER {object} RENAME TO {name}

-- name: drop_view
DROP VIEW {view}

-- name: create_function
-- Its argument has no name: the columns may have any.
CREATE OR REPLACE FUNCTION {function}(timestamptz) RETURNS TABLE ({returned}) LANGUAGE sql STABLE AS {query};
REVOKE ALL ON FUNCTION {function}(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION {function}(timestamptz) IS {comment}

-- name: drop_function
DROP FUNCTION {function}(timestamptz)

-- name: create_role
CREATE ROLE {role} NOLOGIN;
COMMENT ON ROLE {role} IS {comment}

-- name: grant
GRANT {privilege} ON {object} TO {role}

-- name: grant_further
GRANT {privilege} ON {object} TO {role} WITH GRANT OPTION

-- name: revoke
REVOKE ALL ON {object} FROM {role} CASCADE

-- name: on_columns
-- The consumers' views of ours that read these columns of a table, and that nothing else is built on.
SELECT n.nspname, c.relname, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'),
    coalesce('security_barrier=true' = ANY(c.reloptions), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (
        SELECT r.ev_class FROM pg_depend d
        JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        JOIN pg_class t ON t.oid = d.refobjid
        JOIN pg_namespace s ON s.oid = t.relnamespace
        WHERE d.refclassid = 'pg_class'::regclass AND s.nspname = %(schema)s AND t.relname = %(table)s
            AND a.attname = ANY(%(columns)s))
    AND c.relkind = 'v' AND pg_get_userbyid(c.relowner) = current_user
    AND obj_description(c.oid, 'pg_class') LIKE '{{"kind": "consumers'' view"%%'
    AND NOT EXISTS (
        SELECT FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
               OR d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype)
            AND d.deptype <> 'i' AND r.ev_class IS DISTINCT FROM c.oid)
ORDER BY c.relname
