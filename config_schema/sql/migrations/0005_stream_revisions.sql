-- part: streams
-- older programs: go on
-- For each row of the stream table the transaction that last wrote it, whoever that was: the dag-processor asks each
-- second for those that its last look has not seen, by the index. A table of its own: the stream table may be one made
-- elsewhere, and a row that is deleted stands here on. The function has the rights of the table's owner, so that those
-- who may write rows need none on this table. On a stream table of another owner there is no trigger: all rows are then
-- looked at.
CREATE TABLE IF NOT EXISTS {schema}.{revision_table} (
    stream_key varchar(255) PRIMARY KEY,
    changed_in xid8 NOT NULL
);

CREATE INDEX IF NOT EXISTS {revision_index} ON {schema}.{revision_table} (changed_in);

CREATE OR REPLACE FUNCTION {schema}.{revision_trigger}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
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

DO $$
BEGIN
    CREATE OR REPLACE TRIGGER {revision_trigger} AFTER INSERT OR UPDATE OR DELETE ON {schema}.{stream_table}
    FOR EACH ROW EXECUTE FUNCTION {schema}.{revision_trigger}();
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
