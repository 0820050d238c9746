-- All tables of a platform, for one that is no more.

-- name: select_tables
-- Each with its comment, which says whose it is.
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' ORDER BY 1

-- name: select_there
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND c.relname = ANY(%(tables)s) ORDER BY 1

-- name: drop_table
-- Without CASCADE: what others have built on it stops this.
DROP TABLE {table}

-- name: drop_schema
DROP SCHEMA {schema} RESTRICT
