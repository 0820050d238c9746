-- part: streams
-- older programs: go on
-- The trigger function works for a stream table and a revision table of owners that its own owner trusts. It stays when
-- they are dropped; others who may create in the schema could then make tables of these names, whose types, casts and
-- triggers are theirs. And nobody else makes triggers that call it.
CREATE OR REPLACE FUNCTION {schema}.{revision_trigger}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tables oid[] := ARRAY(
        SELECT typrelid FROM pg_type
        WHERE oid IN (pg_typeof(NULL::{schema}.{stream_table}), pg_typeof(NULL::{schema}.{revision_table}))
    );
BEGIN
    IF coalesce(pg_partition_root(TG_RELID), TG_RELID) IS DISTINCT FROM
        (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(NULL::{schema}.{stream_table}))
        OR EXISTS (
            SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_database d ON d.datname = current_database()
            WHERE (c.oid = ANY (tables) OR c.oid = TG_RELID) AND NOT pg_has_role(c.relowner, 'USAGE')
                AND NOT pg_has_role(c.relowner, current_user, 'USAGE') AND c.relowner NOT IN (n.nspowner, d.datdba)
        )
    THEN
        RAISE insufficient_privilege USING MESSAGE = 'the trigger notes changes of the stream table only';
    END IF;
    INSERT INTO {schema}.{revision_table} (stream_key, changed_in)
    SELECT written.stream_key, pg_current_xact_id()
    FROM (VALUES (CASE WHEN TG_OP <> 'DELETE' THEN NEW.stream_key END), (CASE WHEN TG_OP <> 'INSERT' THEN OLD.stream_key END))
        AS written (stream_key)
    WHERE written.stream_key IS NOT NULL
    GROUP BY 1
    ON CONFLICT (stream_key) DO UPDATE SET changed_in = excluded.changed_in;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION {schema}.{revision_trigger}() FROM PUBLIC
