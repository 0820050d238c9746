-- What a forensic merge table looked like at a batch, or at a time. The functions are plain enough for the planner to
-- put them into the query that calls them: a filter on the key is then answered by an index. A body is read with the
-- search_path of who calls it, so each function, operator and type in it is qualified: what others have made there is not
-- called as the caller.

-- name: comments
-- What stands under the function's name, by its comment. Only the owner's word says whose a function is.
SELECT CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN obj_description(p.oid, 'pg_proc') END FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s AND p.proname = %(function)s

-- name: create_past_index
-- Open versions have the unique index of the key, closed ones have this.
CREATE INDEX IF NOT EXISTS {past_index} ON {merge} ({key}) WHERE ds_batch_out <> 2147483647

-- name: at_batch
-- In two halves, each of which has an index.
SELECT {columns} FROM {merge} WHERE ds_batch_out OPERATOR(pg_catalog.=) 2147483647 AND ds_batch_in OPERATOR(pg_catalog.<=) $1{and_in_source_at}
UNION ALL
SELECT {columns} FROM {merge} WHERE ds_batch_out OPERATOR(pg_catalog.<>) 2147483647 AND ds_batch_in OPERATOR(pg_catalog.<=) $1
    AND ds_batch_out OPERATOR(pg_catalog.>) $1{and_in_source_at}

-- name: at_time
-- The newest batch that is valid from that time or earlier; before the first there is none, so there are no rows.
SELECT {columns} FROM {merge} WHERE ds_batch_out OPERATOR(pg_catalog.=) 2147483647 AND ds_batch_in OPERATOR(pg_catalog.<=) ({batch}){and_in_source_at}
UNION ALL
SELECT {columns} FROM {merge} WHERE ds_batch_out OPERATOR(pg_catalog.<>) 2147483647 AND ds_batch_in OPERATOR(pg_catalog.<=) ({batch})
    AND ds_batch_out OPERATOR(pg_catalog.>) ({batch}){and_in_source_at}

-- name: at_valid_time
-- By the times of the source, where a column of it says from when a version is valid.
SELECT {columns} FROM {merge} WHERE ds_batch_out OPERATOR(pg_catalog.=) 2147483647 AND {begins} OPERATOR(pg_catalog.<=) $1
    AND (ds_valid_to IS NULL OR ds_valid_to OPERATOR(pg_catalog.>) $1)
UNION ALL
SELECT {columns} FROM {merge} WHERE ds_batch_out OPERATOR(pg_catalog.<>) 2147483647 AND {begins} OPERATOR(pg_catalog.<=) $1
    AND ds_valid_to OPERATOR(pg_catalog.>) $1

-- name: batch_at
-- Batches are in the order of their numbers, whatever the clocks did. At the moment of asking, or later, it is the newest
-- one: also where its times lie ahead of a clock that was set back. now() is that moment in each statement of its
-- transaction, in which a batch that was committed after the transaction began is not seen by it.
SELECT batch_id FROM {metrics}
WHERE key::pg_catalog.text OPERATOR(pg_catalog.=) {stream} AND batch_status::pg_catalog.text OPERATOR(pg_catalog.=) 'committed' AND (
    source_snapshot_time OPERATOR(pg_catalog.<=) $1 OR batch_end_time OPERATOR(pg_catalog.<=) $1 OR $1 OPERATOR(pg_catalog.>=) pg_catalog.statement_timestamp()
    OR ($1 OPERATOR(pg_catalog.=) pg_catalog.now() AND batch_end_time OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp())
)
ORDER BY batch_id DESC LIMIT 1

-- name: before_functions
SAVEPOINT before_functions

-- name: create_functions
-- Their arguments have no names: the model's columns may have any. Where they stand they are replaced, with the rights
-- on them and the views that use them; PostgreSQL refuses that if they give back other columns than before.
CREATE OR REPLACE FUNCTION {function}(integer) RETURNS TABLE ({returned}) LANGUAGE sql STABLE AS {at_batch};
CREATE OR REPLACE FUNCTION {function}(timestamptz) RETURNS TABLE ({returned}) LANGUAGE sql STABLE AS {at_time};
COMMENT ON FUNCTION {function}(integer) IS {comment};
COMMENT ON FUNCTION {function}(timestamptz) IS {comment}

-- name: back_to_before_functions
-- The columns are others: the functions are made again, and the rights on them given again.
ROLLBACK TO SAVEPOINT before_functions

-- name: rights
-- Who may call each of them, where that is not as it is for any function.
SELECT oidvectortypes(p.proargtypes), pg_get_userbyid(nullif(a.grantee, 0)), a.is_grantable
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN LATERAL aclexplode(p.proacl) a
WHERE n.nspname = %(schema)s AND p.proname = %(function)s

-- name: restricted
SELECT oidvectortypes(p.proargtypes)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s AND p.proname = %(function)s AND p.proacl IS NOT NULL

-- name: drop_functions
DROP FUNCTION IF EXISTS {function}(integer);
DROP FUNCTION IF EXISTS {function}(timestamptz)

-- name: revoke
REVOKE ALL ON FUNCTION {function}({argument}) FROM PUBLIC

-- name: grant
GRANT EXECUTE ON FUNCTION {function}({argument}) TO {role}

-- name: grant_further
GRANT EXECUTE ON FUNCTION {function}({argument}) TO {role} WITH GRANT OPTION
