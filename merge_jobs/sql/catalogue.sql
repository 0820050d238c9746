-- What `merge-job describe` asks of a producer's PostgreSQL, and check-source of some tables. It needs no right on them.

-- name: schemas
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' ORDER BY 1

-- name: schema_is_usable
SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %(schema)s

-- name: tables
-- Partitions and children are there too, each with what it is a part of: whose rows are read with their parent's.
SELECT c.oid, c.relname, c.relkind::text, has_table_privilege(c.oid, 'SELECT'),
    CASE WHEN c.relkind IN ('r', 'p') THEN row_security_active(c.oid) ELSE false END,
    CASE WHEN c.relispartition THEN (
        SELECT quote_ident(pn.nspname) || '.' || quote_ident(p.relname) FROM pg_inherits i
        JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE i.inhrelid = c.oid
    ) END,
    c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
    (
        SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
            AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    )
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND (%(tables)s::text[] IS NULL OR c.relname = ANY(%(tables)s::text[]))
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname

-- name: columns
-- A domain is what it is of. Whether the type comes with PostgreSQL, and whether it is an array whose text another
-- PostgreSQL reads as one of texts. NOT NULL that is not validated says nothing of the rows that are there.
WITH RECURSIVE resolved AS (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS modifier,
        a.attnotnull AND NOT EXISTS (
            SELECT FROM pg_constraint k
            WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND k.conkey = ARRAY[a.attnum]
        ) AS filled,
        has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND (%(tables)s::text[] IS NULL OR c.relname = ANY(%(tables)s::text[]))
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT r.attrelid, r.attnum, r.attname, t.typbasetype, t.typtypmod, r.filled, r.readable
    FROM resolved r JOIN pg_type t ON t.oid = r.type WHERE t.typtype = 'd'
)
SELECT r.attrelid, r.attname, format_type(t.oid, r.modifier), t.oid < 16384,
    coalesce(item.typdelim = ',', false), NOT r.filled, r.readable
FROM resolved r
JOIN pg_type t ON t.oid = r.type
LEFT JOIN pg_type item ON item.typarray = t.oid
WHERE t.typtype <> 'd'
ORDER BY r.attrelid, r.attnum

-- name: keys
-- Unique indexes, with the columns of their keys: those that are only INCLUDEd make nothing unique.
SELECT i.indrelid, x.relname, i.indisprimary, i.indimmediate, i.indisvalid AND i.indisready AND i.indislive,
    i.indpred IS NOT NULL, i.indexprs IS NOT NULL,
    ARRAY(
        SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.number
        WHERE key.place <= i.indnkeyatts ORDER BY key.place
    )
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND (%(tables)s::text[] IS NULL OR c.relname = ANY(%(tables)s::text[])) AND i.indisunique
ORDER BY i.indrelid, x.relname
