-- Making the logins of a platform's components: what dagfactory bootstrap --roles runs. Rights on tables: config_schema.

-- name: existing_roles
-- Each of the roles that is there: its comment, whether it may log in, and what it may do with database and schema.
SELECT r.rolname::text, coalesce(shobj_description(r.oid, 'pg_authid'), ''), r.rolcanlogin,
       has_database_privilege(r.oid, current_database(), 'CONNECT'),
       (SELECT has_schema_privilege(r.oid, n.oid, 'USAGE') FROM pg_namespace n WHERE n.nspname = %(schema)s)
FROM pg_roles r WHERE r.rolname = ANY(%(roles)s::text[])

-- name: may_create_roles
SELECT current_user::text, rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user

-- name: create_role
CREATE ROLE {role} LOGIN

-- name: comment_role
COMMENT ON ROLE {role} IS {comment}

-- name: set_password
-- Of the password itself the server sees only what SCRAM makes of it: statements can be logged.
ALTER ROLE {role} PASSWORD {verifier}

-- name: let_connect
GRANT CONNECT ON DATABASE {database} TO {role}

-- name: let_use_schema
GRANT USAGE ON SCHEMA {schema} TO {role}
