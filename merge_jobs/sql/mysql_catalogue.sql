-- What `merge-job describe` asks of a producer's MySQL or MariaDB: it shows what the user has any right on.

-- name: tables
SELECT table_name, table_type, engine FROM information_schema.tables WHERE table_schema = %(schema)s ORDER BY table_name

-- name: rights
SELECT table_name, column_name, privileges FROM information_schema.columns WHERE table_schema = %(schema)s

-- name: keys
-- A column that only begins a key (sub_part) is as good: what differs in the beginning differs.
SELECT table_name, index_name, column_name, sub_part FROM information_schema.statistics
WHERE table_schema = %(schema)s AND non_unique = 0 ORDER BY table_name, index_name, seq_in_index
