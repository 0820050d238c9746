-- part: streams
-- older programs: go on
-- The trigger function works for the stream table only: it has its owner's rights, and anybody may put a trigger that
-- calls it on a table of theirs, whose values, types and casts are their own.
CREATE OR REPLACE FUNCTION {schema}.{revision_trigger}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(pg_partition_root(TG_RELID), TG_RELID) IS DISTINCT FROM
        (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(NULL::{schema}.{stream_table})) THEN
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
$$
