-- What a session asks for itself.

-- name: table_exists
-- From pg_class: to_regclass alone takes no lock, so a session that has waited for another's COMMIT may still answer as it did before.
SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = to_regclass(%(table)s))
