-- What a DBA runs by psql where nobody gives this tool a role that may create roles. Names are put in by script.py.

-- name: role
SELECT {creating} WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) \gexec
COMMENT ON ROLE {role} IS {comment};
GRANT CONNECT ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA {schema} TO {role};

-- name: grant
SELECT {granting} WHERE to_regclass({table}) IS NOT NULL \gexec
