-- All tables of a platform, for one that is no more.

-- name: select_tables
-- Those of the login's own, each with its comment, which says what it is of: who may create in the schema can write one too.
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1

-- name: select_there
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') AND c.relname = ANY(%(tables)s)
ORDER BY 1

-- name: drop_table
-- Without CASCADE: what others have built on it stops this.
DROP TABLE {table}

-- name: drop_revision_trigger
-- The function is of no use without the tables, and it has its owner's rights.
DROP FUNCTION IF EXISTS {function}()

-- name: drop_schema
DROP SCHEMA {schema} RESTRICT
