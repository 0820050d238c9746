-- What the logins of components hold on a platform's tables; see component_logins.py. Both Airflow's side and jobs run these.

-- name: database
SELECT current_database()::text

-- name: lock
-- Two sessions that grant on one table at once would fail: "tuple concurrently updated". Until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('dagfactory rights ' || %(schema)s || '.' || %(platform)s, 0))

-- name: held
-- Each table that is there and that this session may grant on, with each role that is there and is ours by its comment.
-- What a role may do with single columns counts too: SELECT (key).
SELECT c.relname::text, r.rolname::text, ARRAY(
    SELECT a.privilege_type::text FROM aclexplode(c.relacl) a WHERE a.grantee = r.oid
    UNION ALL
    SELECT a.privilege_type || ' (' || quote_ident(of.attname) || ')'
    FROM pg_attribute of CROSS JOIN aclexplode(of.attacl) a
    WHERE of.attrelid = c.oid AND NOT of.attisdropped AND a.grantee = r.oid
    ORDER BY 1
)
FROM unnest(%(roles)s::text[], %(comments)s::text[]) AS ours (role, comment)
JOIN pg_roles r ON r.rolname = ours.role AND shobj_description(r.oid, 'pg_authid') = ours.comment
CROSS JOIN pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s::text[]) AND c.relkind IN ('r', 'p')
    AND pg_has_role(c.relowner, 'USAGE')
ORDER BY 1, 2

-- name: grant
GRANT {privileges} ON TABLE {table} TO {role}

-- name: revoke
REVOKE {privileges} ON TABLE {table} FROM {role}
