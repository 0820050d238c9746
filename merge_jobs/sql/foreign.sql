-- A merge store in another database than the consumers' views, through postgres_fdw.

-- name: wrapper
-- Whether the extension is there, whether we may use it, and whether we could make it.
SELECT w.oid IS NOT NULL, coalesce(has_foreign_data_wrapper_privilege(w.oid, 'USAGE'), false),
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
FROM (SELECT) one LEFT JOIN pg_foreign_data_wrapper w ON w.fdwname = 'postgres_fdw'

-- name: server
-- Only the owner's word says whose a server is: who owns it can send our password to another host.
SELECT CASE WHEN pg_has_role(s.srvowner, 'USAGE') THEN obj_description(s.oid, 'pg_foreign_server') END, s.srvoptions, m.umoptions, m.umid IS NOT NULL
FROM pg_foreign_server s LEFT JOIN pg_user_mappings m ON m.srvid = s.oid AND m.usename = current_user
WHERE s.srvname = %(server)s

-- name: type
-- Of a column of the merge store, as it is called there: the type of that name here, if there is one.
SELECT to_regtype(%(kind)s)::oid::bigint

-- name: create_extension
CREATE EXTENSION postgres_fdw

-- name: create_server
CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({options});
COMMENT ON SERVER {server} IS {comment}

-- name: alter_server
ALTER SERVER {server} OPTIONS ({options})

-- name: create_mapping
-- Of the views' owner only: views are read with the owner's rights, and consumers have none on the server.
CREATE USER MAPPING FOR CURRENT_USER SERVER {server} OPTIONS (user {user}, password {password})

-- name: alter_mapping
ALTER USER MAPPING FOR CURRENT_USER SERVER {server} OPTIONS (SET user {user}, SET password {password})

-- name: create_table
CREATE FOREIGN TABLE {table} ({definitions}) SERVER {server} OPTIONS (schema_name {schema}, table_name {name});
COMMENT ON FOREIGN TABLE {table} IS {comment}

-- name: alter_table
ALTER FOREIGN TABLE {table} {alterations}
