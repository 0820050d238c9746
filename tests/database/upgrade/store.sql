SET check_function_bodies = false;
CREATE FUNCTION public."yellowforensic_Store1_customers_merge_as_of"(integer) RETURNS TABLE(id integer, name character varying, email text)
    LANGUAGE sql STABLE
    AS $_$-- In two halves, each of which has an index.
SELECT "id", "name", "email" FROM "public"."yellowforensic_Store1_customers_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= $1
UNION ALL
SELECT "id", "name", "email" FROM "public"."yellowforensic_Store1_customers_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= $1 AND ds_batch_out > $1$_$;
COMMENT ON FUNCTION public."yellowforensic_Store1_customers_merge_as_of"(integer) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store1", "dataset": "customers", "milestoning": "forensic", "primary_key": ["id"], "definition": "bad317744b395a43"}';
CREATE FUNCTION public."yellowforensic_Store1_customers_merge_as_of"(timestamp with time zone) RETURNS TABLE(id integer, name character varying, email text)
    LANGUAGE sql STABLE
    AS $_$-- The batch of the newest snapshot that is not younger; before the first there is none, so there are no rows.
SELECT "id", "name", "email" FROM "public"."yellowforensic_Store1_customers_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store1' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)
UNION ALL
SELECT "id", "name", "email" FROM "public"."yellowforensic_Store1_customers_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store1' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1) AND ds_batch_out > (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store1' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)$_$;
COMMENT ON FUNCTION public."yellowforensic_Store1_customers_merge_as_of"(timestamp with time zone) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store1", "dataset": "customers", "milestoning": "forensic", "primary_key": ["id"], "definition": "bad317744b395a43"}';
CREATE FUNCTION public."yellowforensic_Store1_orders_merge_as_of"(integer) RETURNS TABLE(id integer, customer_id integer, amount numeric)
    LANGUAGE sql STABLE
    AS $_$-- In two halves, each of which has an index.
SELECT "id", "customer_id", "amount" FROM "public"."yellowforensic_Store1_orders_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= $1
UNION ALL
SELECT "id", "customer_id", "amount" FROM "public"."yellowforensic_Store1_orders_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= $1 AND ds_batch_out > $1$_$;
COMMENT ON FUNCTION public."yellowforensic_Store1_orders_merge_as_of"(integer) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store1", "dataset": "orders", "milestoning": "forensic", "primary_key": ["id"], "definition": "240f89cd15d84750"}';
CREATE FUNCTION public."yellowforensic_Store1_orders_merge_as_of"(timestamp with time zone) RETURNS TABLE(id integer, customer_id integer, amount numeric)
    LANGUAGE sql STABLE
    AS $_$-- The batch of the newest snapshot that is not younger; before the first there is none, so there are no rows.
SELECT "id", "customer_id", "amount" FROM "public"."yellowforensic_Store1_orders_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store1' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)
UNION ALL
SELECT "id", "customer_id", "amount" FROM "public"."yellowforensic_Store1_orders_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store1' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1) AND ds_batch_out > (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store1' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)$_$;
COMMENT ON FUNCTION public."yellowforensic_Store1_orders_merge_as_of"(timestamp with time zone) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store1", "dataset": "orders", "milestoning": "forensic", "primary_key": ["id"], "definition": "240f89cd15d84750"}';
CREATE FUNCTION public."yellowforensic_Store2_products_merge_as_of"(integer) RETURNS TABLE(code text, title text)
    LANGUAGE sql STABLE
    AS $_$-- In two halves, each of which has an index.
SELECT "code", "title" FROM "public"."yellowforensic_Store2_products_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= $1
UNION ALL
SELECT "code", "title" FROM "public"."yellowforensic_Store2_products_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= $1 AND ds_batch_out > $1$_$;
COMMENT ON FUNCTION public."yellowforensic_Store2_products_merge_as_of"(integer) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store2", "dataset": "products", "milestoning": "forensic", "primary_key": ["code"], "definition": "31f246dcb930b656"}';
CREATE FUNCTION public."yellowforensic_Store2_products_merge_as_of"(timestamp with time zone) RETURNS TABLE(code text, title text)
    LANGUAGE sql STABLE
    AS $_$-- The batch of the newest snapshot that is not younger; before the first there is none, so there are no rows.
SELECT "code", "title" FROM "public"."yellowforensic_Store2_products_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store2' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)
UNION ALL
SELECT "code", "title" FROM "public"."yellowforensic_Store2_products_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store2' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1) AND ds_batch_out > (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store2' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)$_$;
COMMENT ON FUNCTION public."yellowforensic_Store2_products_merge_as_of"(timestamp with time zone) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store2", "dataset": "products", "milestoning": "forensic", "primary_key": ["code"], "definition": "31f246dcb930b656"}';
CREATE FUNCTION public."yellowforensic_Store3_events_merge_as_of"(integer) RETURNS TABLE(id integer, word text)
    LANGUAGE sql STABLE
    AS $_$-- In two halves, each of which has an index.
SELECT "id", "word" FROM "public"."yellowforensic_Store3_events_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= $1
UNION ALL
SELECT "id", "word" FROM "public"."yellowforensic_Store3_events_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= $1 AND ds_batch_out > $1$_$;
COMMENT ON FUNCTION public."yellowforensic_Store3_events_merge_as_of"(integer) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store3#events", "dataset": "events", "milestoning": "forensic", "primary_key": ["id"], "definition": "df781fdd6f72e932"}';
CREATE FUNCTION public."yellowforensic_Store3_events_merge_as_of"(timestamp with time zone) RETURNS TABLE(id integer, word text)
    LANGUAGE sql STABLE
    AS $_$-- The batch of the newest snapshot that is not younger; before the first there is none, so there are no rows.
SELECT "id", "word" FROM "public"."yellowforensic_Store3_events_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store3#events' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)
UNION ALL
SELECT "id", "word" FROM "public"."yellowforensic_Store3_events_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store3#events' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1) AND ds_batch_out > (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store3#events' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)$_$;
COMMENT ON FUNCTION public."yellowforensic_Store3_events_merge_as_of"(timestamp with time zone) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store3#events", "dataset": "events", "milestoning": "forensic", "primary_key": ["id"], "definition": "df781fdd6f72e932"}';
CREATE FUNCTION public."yellowforensic_Store3_sensors_merge_as_of"(integer) RETURNS TABLE(id integer, seen timestamp with time zone)
    LANGUAGE sql STABLE
    AS $_$-- In two halves, each of which has an index.
SELECT "id", "seen" FROM "public"."yellowforensic_Store3_sensors_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= $1
UNION ALL
SELECT "id", "seen" FROM "public"."yellowforensic_Store3_sensors_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= $1 AND ds_batch_out > $1$_$;
COMMENT ON FUNCTION public."yellowforensic_Store3_sensors_merge_as_of"(integer) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store3#sensors", "dataset": "sensors", "milestoning": "forensic", "primary_key": ["id"], "definition": "67730f58f5d4133a"}';
CREATE FUNCTION public."yellowforensic_Store3_sensors_merge_as_of"(timestamp with time zone) RETURNS TABLE(id integer, seen timestamp with time zone)
    LANGUAGE sql STABLE
    AS $_$-- The batch of the newest snapshot that is not younger; before the first there is none, so there are no rows.
SELECT "id", "seen" FROM "public"."yellowforensic_Store3_sensors_merge" WHERE ds_batch_out = 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store3#sensors' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)
UNION ALL
SELECT "id", "seen" FROM "public"."yellowforensic_Store3_sensors_merge" WHERE ds_batch_out <> 2147483647 AND ds_batch_in <= (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store3#sensors' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1) AND ds_batch_out > (SELECT batch_id FROM "public"."yellowforensic_batch_metrics"
WHERE key = 'Store3#sensors' AND batch_status = 'committed' AND source_snapshot_time <= $1
ORDER BY source_snapshot_time DESC, batch_id DESC LIMIT 1)$_$;
COMMENT ON FUNCTION public."yellowforensic_Store3_sensors_merge_as_of"(timestamp with time zone) IS '{"kind": "as-of", "platform": "yellowforensic", "stream": "Store3#sensors", "dataset": "sensors", "milestoning": "forensic", "primary_key": ["id"], "definition": "67730f58f5d4133a"}';
CREATE TABLE public."yellowforensic_Store1_customers_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowforensic_Store1_customers_map" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store1", "dataset": "customers", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowforensic_Store1_customers_map_staging" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowforensic_Store1_customers_map_staging" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store1", "dataset": "customers", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store1_customers_merge" (
    id integer NOT NULL,
    name character varying(40),
    email text,
    ds_batch_in integer NOT NULL,
    ds_batch_out integer DEFAULT 2147483647 NOT NULL
);
COMMENT ON TABLE public."yellowforensic_Store1_customers_merge" IS '{"kind": "merge", "platform": "yellowforensic", "stream": "Store1", "dataset": "customers", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowforensic_Store1_customers_staging" (
    id integer,
    name character varying(40),
    email text
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowforensic_Store1_customers_staging" IS '{"kind": "staging", "platform": "yellowforensic", "stream": "Store1", "dataset": "customers", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store1_orders_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowforensic_Store1_orders_map" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store1", "dataset": "orders", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowforensic_Store1_orders_map_staging" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowforensic_Store1_orders_map_staging" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store1", "dataset": "orders", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store1_orders_merge" (
    id integer NOT NULL,
    customer_id integer,
    amount numeric(10,2),
    ds_batch_in integer NOT NULL,
    ds_batch_out integer DEFAULT 2147483647 NOT NULL
);
COMMENT ON TABLE public."yellowforensic_Store1_orders_merge" IS '{"kind": "merge", "platform": "yellowforensic", "stream": "Store1", "dataset": "orders", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowforensic_Store1_orders_staging" (
    id integer,
    customer_id integer,
    amount numeric(10,2)
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowforensic_Store1_orders_staging" IS '{"kind": "staging", "platform": "yellowforensic", "stream": "Store1", "dataset": "orders", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store2_products_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 text[]
);
COMMENT ON TABLE public."yellowforensic_Store2_products_map" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store2", "dataset": "products", "milestoning": "forensic", "primary_key": ["code"]}';
CREATE TABLE public."yellowforensic_Store2_products_merge" (
    code text NOT NULL,
    title text,
    ds_batch_in integer NOT NULL,
    ds_batch_out integer DEFAULT 2147483647 NOT NULL
);
COMMENT ON TABLE public."yellowforensic_Store2_products_merge" IS '{"kind": "merge", "platform": "yellowforensic", "stream": "Store2", "dataset": "products", "milestoning": "forensic", "primary_key": ["code"]}';
CREATE TABLE public."yellowforensic_Store3_events_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowforensic_Store3_events_map" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store3#events", "dataset": "events", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowforensic_Store3_events_map_staging" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowforensic_Store3_events_map_staging" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store3#events", "dataset": "events", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store3_events_merge" (
    id integer NOT NULL,
    word text,
    ds_batch_in integer NOT NULL,
    ds_batch_out integer DEFAULT 2147483647 NOT NULL
);
COMMENT ON TABLE public."yellowforensic_Store3_events_merge" IS '{"kind": "merge", "platform": "yellowforensic", "stream": "Store3#events", "dataset": "events", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowforensic_Store3_events_staging" (
    id integer,
    word text
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowforensic_Store3_events_staging" IS '{"kind": "staging", "platform": "yellowforensic", "stream": "Store3#events", "dataset": "events", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store3_sensors_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowforensic_Store3_sensors_map" IS '{"kind": "map", "platform": "yellowforensic", "stream": "Store3#sensors", "dataset": "sensors", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public."yellowforensic_Store3_sensors_merge" (
    id integer NOT NULL,
    seen timestamp with time zone,
    ds_batch_in integer NOT NULL,
    ds_batch_out integer DEFAULT 2147483647 NOT NULL
);
COMMENT ON TABLE public."yellowforensic_Store3_sensors_merge" IS '{"kind": "merge", "platform": "yellowforensic", "stream": "Store3#sensors", "dataset": "sensors", "milestoning": "forensic", "primary_key": ["id"]}';
CREATE TABLE public.yellowforensic_airflow_dsg (
    stream_key character varying(255) NOT NULL,
    config_json text NOT NULL,
    status character varying(50) DEFAULT 'active'::character varying NOT NULL,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT yellowforensic_airflow_dsg_status_check CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'paused'::character varying, 'retired'::character varying])::text[])))
);
CREATE TABLE public.yellowforensic_airflow_dsg_history (
    id bigint NOT NULL,
    stream_key character varying(255) NOT NULL,
    change character varying(20) NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    model_commit text,
    before_config_json text,
    before_status character varying(50),
    after_config_json text NOT NULL,
    after_status character varying(50) NOT NULL
);
ALTER TABLE public.yellowforensic_airflow_dsg_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.yellowforensic_airflow_dsg_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.yellowforensic_batch_counter (
    key character varying(255) NOT NULL,
    current_batch integer DEFAULT 0 NOT NULL,
    last_checked_at timestamp with time zone,
    last_run_id text,
    last_result_json jsonb
);
CREATE TABLE public.yellowforensic_batch_metrics (
    key character varying(255) NOT NULL,
    batch_id integer NOT NULL,
    batch_start_time timestamp with time zone NOT NULL,
    batch_end_time timestamp with time zone,
    batch_status character varying(32) NOT NULL,
    records_inserted bigint,
    records_updated bigint,
    records_deleted bigint,
    total_records bigint,
    state jsonb NOT NULL,
    run_id text NOT NULL,
    result_json jsonb,
    source_snapshot_time timestamp with time zone,
    model_commit text,
    strategy text,
    error text,
    retryable boolean,
    CONSTRAINT yellowforensic_batch_metrics_batch_status_check CHECK (((batch_status)::text = ANY ((ARRAY['started'::character varying, 'ingested'::character varying, 'committed'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.yellowforensic_model_state (
    id smallint DEFAULT 1 NOT NULL,
    model_commit text NOT NULL,
    applied_at timestamp with time zone NOT NULL,
    applied_by text NOT NULL,
    CONSTRAINT yellowforensic_model_state_id_check CHECK ((id = 1))
);
CREATE TABLE public.yellowforensic_rejected_keys (
    key character varying(255) NOT NULL,
    batch_id integer NOT NULL,
    dataset text NOT NULL,
    reason text NOT NULL,
    rejected_key jsonb NOT NULL,
    row_count bigint NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.yellowforensic_row_maps (
    key character varying(255) NOT NULL,
    dataset text NOT NULL,
    kind text,
    guard jsonb,
    batch_id integer,
    full_at timestamp with time zone,
    distrusted text
);
CREATE TABLE public."yellowlive_Store1_customers_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowlive_Store1_customers_map" IS '{"kind": "map", "platform": "yellowlive", "stream": "Store1", "dataset": "customers", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store1_customers_merge" (
    id integer NOT NULL,
    name character varying(40),
    email text
);
COMMENT ON TABLE public."yellowlive_Store1_customers_merge" IS '{"kind": "merge", "platform": "yellowlive", "stream": "Store1", "dataset": "customers", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store1_orders_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowlive_Store1_orders_map" IS '{"kind": "map", "platform": "yellowlive", "stream": "Store1", "dataset": "orders", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store1_orders_merge" (
    id integer NOT NULL,
    customer_id integer,
    amount numeric(10,2)
);
COMMENT ON TABLE public."yellowlive_Store1_orders_merge" IS '{"kind": "merge", "platform": "yellowlive", "stream": "Store1", "dataset": "orders", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store2_products_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 text[]
);
COMMENT ON TABLE public."yellowlive_Store2_products_map" IS '{"kind": "map", "platform": "yellowlive", "stream": "Store2", "dataset": "products", "milestoning": "live", "primary_key": ["code"]}';
CREATE TABLE public."yellowlive_Store2_products_merge" (
    code text NOT NULL,
    title text
);
COMMENT ON TABLE public."yellowlive_Store2_products_merge" IS '{"kind": "merge", "platform": "yellowlive", "stream": "Store2", "dataset": "products", "milestoning": "live", "primary_key": ["code"]}';
CREATE TABLE public."yellowlive_Store3_events_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowlive_Store3_events_map" IS '{"kind": "map", "platform": "yellowlive", "stream": "Store3#events", "dataset": "events", "milestoning": "live", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowlive_Store3_events_map_staging" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowlive_Store3_events_map_staging" IS '{"kind": "map", "platform": "yellowlive", "stream": "Store3#events", "dataset": "events", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store3_events_merge" (
    id integer NOT NULL,
    word text
);
COMMENT ON TABLE public."yellowlive_Store3_events_merge" IS '{"kind": "merge", "platform": "yellowlive", "stream": "Store3#events", "dataset": "events", "milestoning": "live", "primary_key": ["id"]}';
CREATE UNLOGGED TABLE public."yellowlive_Store3_events_staging" (
    id integer,
    word text
)
WITH (autovacuum_enabled='false');
COMMENT ON TABLE public."yellowlive_Store3_events_staging" IS '{"kind": "staging", "platform": "yellowlive", "stream": "Store3#events", "dataset": "events", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store3_sensors_map" (
    leaf bigint NOT NULL,
    block bigint NOT NULL,
    versions integer NOT NULL,
    digest bigint,
    tids tid[],
    xids bigint[],
    key_1 integer[]
);
COMMENT ON TABLE public."yellowlive_Store3_sensors_map" IS '{"kind": "map", "platform": "yellowlive", "stream": "Store3#sensors", "dataset": "sensors", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public."yellowlive_Store3_sensors_merge" (
    id integer NOT NULL,
    seen timestamp with time zone
);
COMMENT ON TABLE public."yellowlive_Store3_sensors_merge" IS '{"kind": "merge", "platform": "yellowlive", "stream": "Store3#sensors", "dataset": "sensors", "milestoning": "live", "primary_key": ["id"]}';
CREATE TABLE public.yellowlive_airflow_dsg (
    stream_key character varying(255) NOT NULL,
    config_json text NOT NULL,
    status character varying(50) DEFAULT 'active'::character varying NOT NULL,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT yellowlive_airflow_dsg_status_check CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'paused'::character varying, 'retired'::character varying])::text[])))
);
CREATE TABLE public.yellowlive_airflow_dsg_history (
    id bigint NOT NULL,
    stream_key character varying(255) NOT NULL,
    change character varying(20) NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    model_commit text,
    before_config_json text,
    before_status character varying(50),
    after_config_json text NOT NULL,
    after_status character varying(50) NOT NULL
);
ALTER TABLE public.yellowlive_airflow_dsg_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.yellowlive_airflow_dsg_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.yellowlive_batch_counter (
    key character varying(255) NOT NULL,
    current_batch integer DEFAULT 0 NOT NULL,
    last_checked_at timestamp with time zone,
    last_run_id text,
    last_result_json jsonb
);
CREATE TABLE public.yellowlive_batch_metrics (
    key character varying(255) NOT NULL,
    batch_id integer NOT NULL,
    batch_start_time timestamp with time zone NOT NULL,
    batch_end_time timestamp with time zone,
    batch_status character varying(32) NOT NULL,
    records_inserted bigint,
    records_updated bigint,
    records_deleted bigint,
    total_records bigint,
    state jsonb NOT NULL,
    run_id text NOT NULL,
    result_json jsonb,
    source_snapshot_time timestamp with time zone,
    model_commit text,
    strategy text,
    error text,
    retryable boolean,
    CONSTRAINT yellowlive_batch_metrics_batch_status_check CHECK (((batch_status)::text = ANY ((ARRAY['started'::character varying, 'ingested'::character varying, 'committed'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.yellowlive_model_state (
    id smallint DEFAULT 1 NOT NULL,
    model_commit text NOT NULL,
    applied_at timestamp with time zone NOT NULL,
    applied_by text NOT NULL,
    CONSTRAINT yellowlive_model_state_id_check CHECK ((id = 1))
);
CREATE TABLE public.yellowlive_rejected_keys (
    key character varying(255) NOT NULL,
    batch_id integer NOT NULL,
    dataset text NOT NULL,
    reason text NOT NULL,
    rejected_key jsonb NOT NULL,
    row_count bigint NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.yellowlive_row_maps (
    key character varying(255) NOT NULL,
    dataset text NOT NULL,
    kind text,
    guard jsonb,
    batch_id integer,
    full_at timestamp with time zone,
    distrusted text
);
INSERT INTO public."yellowforensic_Store1_customers_map" VALUES
	(16388, 0, 41, -2249953429313314397, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,21)","(0,22)","(0,23)","(0,24)","(0,25)","(0,26)","(0,27)","(0,28)","(0,29)","(0,31)","(0,32)","(0,33)","(0,34)","(0,35)","(0,36)","(0,37)","(0,38)","(0,39)","(0,42)","(0,43)","(0,44)","(0,45)","(0,46)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775,775,775,814,814}', '{1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,21,22,23,24,25,26,27,28,29,31,32,33,34,35,36,37,38,39,20,30,40,41,10}');
INSERT INTO public."yellowforensic_Store1_customers_map_staging" VALUES
	(16388, 0, 40, -4006105102094058092, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,9)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,21)","(0,22)","(0,23)","(0,24)","(0,25)","(0,26)","(0,27)","(0,28)","(0,29)","(0,31)","(0,32)","(0,33)","(0,34)","(0,35)","(0,36)","(0,37)","(0,38)","(0,39)","(0,42)","(0,43)","(0,44)","(0,45)","(0,46)","(0,47)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775,775,775,814,814,866}', '{1,2,3,4,5,6,9,11,12,13,14,15,16,17,18,19,21,22,23,24,25,26,27,28,29,31,32,33,34,35,36,37,38,39,20,30,40,41,10,7}');
INSERT INTO public."yellowforensic_Store1_customers_merge" VALUES
	(1, 'customer 1', 'c1@example.com', 1, 2147483647),
	(2, 'customer 2', 'c2@example.com', 1, 2147483647),
	(3, 'customer 3', 'c3@example.com', 1, 2147483647),
	(4, 'customer 4', 'c4@example.com', 1, 2147483647),
	(5, 'customer 5', 'c5@example.com', 1, 2147483647),
	(6, 'customer 6', 'c6@example.com', 1, 2147483647),
	(7, 'customer 7', 'c7@example.com', 1, 2147483647),
	(8, 'customer 8', 'c8@example.com', 1, 2147483647),
	(9, 'customer 9', 'c9@example.com', 1, 2147483647),
	(11, 'customer 11', 'c11@example.com', 1, 2147483647),
	(12, 'customer 12', 'c12@example.com', 1, 2147483647),
	(13, 'customer 13', 'c13@example.com', 1, 2147483647),
	(14, 'customer 14', 'c14@example.com', 1, 2147483647),
	(15, 'customer 15', 'c15@example.com', 1, 2147483647),
	(16, 'customer 16', 'c16@example.com', 1, 2147483647),
	(17, 'customer 17', 'c17@example.com', 1, 2147483647),
	(18, 'customer 18', 'c18@example.com', 1, 2147483647),
	(19, 'customer 19', 'c19@example.com', 1, 2147483647),
	(21, 'customer 21', 'c21@example.com', 1, 2147483647),
	(22, 'customer 22', 'c22@example.com', 1, 2147483647);
INSERT INTO public."yellowforensic_Store1_customers_merge" VALUES
	(23, 'customer 23', 'c23@example.com', 1, 2147483647),
	(24, 'customer 24', 'c24@example.com', 1, 2147483647),
	(25, 'customer 25', 'c25@example.com', 1, 2147483647),
	(26, 'customer 26', 'c26@example.com', 1, 2147483647),
	(27, 'customer 27', 'c27@example.com', 1, 2147483647),
	(28, 'customer 28', 'c28@example.com', 1, 2147483647),
	(29, 'customer 29', 'c29@example.com', 1, 2147483647),
	(31, 'customer 31', 'c31@example.com', 1, 2147483647),
	(32, 'customer 32', 'c32@example.com', 1, 2147483647),
	(33, 'customer 33', 'c33@example.com', 1, 2147483647),
	(34, 'customer 34', 'c34@example.com', 1, 2147483647),
	(35, 'customer 35', 'c35@example.com', 1, 2147483647),
	(36, 'customer 36', 'c36@example.com', 1, 2147483647),
	(37, 'customer 37', 'c37@example.com', 1, 2147483647),
	(38, 'customer 38', 'c38@example.com', 1, 2147483647),
	(39, 'customer 39', 'c39@example.com', 1, 2147483647),
	(10, 'customer 10', 'c10@example.com', 1, 2),
	(20, 'customer 20', 'c20@example.com', 1, 2),
	(30, 'customer 30', 'c30@example.com', 1, 2),
	(40, 'customer 40', 'c40@example.com', 1, 2);
INSERT INTO public."yellowforensic_Store1_customers_merge" VALUES
	(20, 'customer 20', NULL, 2, 2147483647),
	(30, 'customer 30', NULL, 2, 2147483647),
	(40, 'customer 40', NULL, 2, 2147483647),
	(10, 'customer 10', NULL, 2, 3),
	(41, 'customer 41', 'c41@example.com', 3, 2147483647),
	(10, 'customer 10', 'back@example.com', 3, 2147483647);
INSERT INTO public."yellowforensic_Store1_customers_staging" VALUES
	(7, 'late', 'c7@example.com');
INSERT INTO public."yellowforensic_Store1_orders_map" VALUES
	(16395, 0, 55, 1020431267354965023, '{"(0,6)","(0,7)","(0,8)","(0,9)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,20)","(0,21)","(0,22)","(0,23)","(0,24)","(0,25)","(0,26)","(0,27)","(0,28)","(0,29)","(0,30)","(0,31)","(0,32)","(0,33)","(0,34)","(0,35)","(0,36)","(0,37)","(0,38)","(0,39)","(0,40)","(0,41)","(0,42)","(0,43)","(0,44)","(0,45)","(0,46)","(0,47)","(0,48)","(0,49)","(0,50)","(0,51)","(0,52)","(0,53)","(0,54)","(0,55)","(0,56)","(0,57)","(0,58)","(0,59)","(0,60)","(0,61)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,814}', '{6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,10}');
INSERT INTO public."yellowforensic_Store1_orders_merge" VALUES
	(6, 7, 7.50, 1, 2147483647),
	(7, 8, 8.75, 1, 2147483647),
	(8, 9, 10.00, 1, 2147483647),
	(9, 10, 11.25, 1, 2147483647),
	(11, 12, 13.75, 1, 2147483647),
	(12, 13, 15.00, 1, 2147483647),
	(13, 14, 16.25, 1, 2147483647),
	(14, 15, 17.50, 1, 2147483647),
	(15, 16, 18.75, 1, 2147483647),
	(16, 17, 20.00, 1, 2147483647),
	(17, 18, 21.25, 1, 2147483647),
	(18, 19, 22.50, 1, 2147483647),
	(19, 20, 23.75, 1, 2147483647),
	(20, 21, 25.00, 1, 2147483647),
	(21, 22, 26.25, 1, 2147483647),
	(22, 23, 27.50, 1, 2147483647),
	(23, 24, 28.75, 1, 2147483647),
	(24, 25, 30.00, 1, 2147483647),
	(25, 26, 31.25, 1, 2147483647),
	(26, 27, 32.50, 1, 2147483647);
INSERT INTO public."yellowforensic_Store1_orders_merge" VALUES
	(27, 28, 33.75, 1, 2147483647),
	(28, 29, 35.00, 1, 2147483647),
	(29, 30, 36.25, 1, 2147483647),
	(30, 31, 37.50, 1, 2147483647),
	(31, 32, 38.75, 1, 2147483647),
	(32, 33, 40.00, 1, 2147483647),
	(33, 34, 41.25, 1, 2147483647),
	(34, 35, 42.50, 1, 2147483647),
	(35, 36, 43.75, 1, 2147483647),
	(36, 37, 45.00, 1, 2147483647),
	(37, 38, 46.25, 1, 2147483647),
	(38, 39, 47.50, 1, 2147483647),
	(39, 40, 48.75, 1, 2147483647),
	(40, 1, 50.00, 1, 2147483647),
	(41, 2, 51.25, 1, 2147483647),
	(42, 3, 52.50, 1, 2147483647),
	(43, 4, 53.75, 1, 2147483647),
	(44, 5, 55.00, 1, 2147483647),
	(45, 6, 56.25, 1, 2147483647),
	(46, 7, 57.50, 1, 2147483647);
INSERT INTO public."yellowforensic_Store1_orders_merge" VALUES
	(47, 8, 58.75, 1, 2147483647),
	(48, 9, 60.00, 1, 2147483647),
	(49, 10, 61.25, 1, 2147483647),
	(50, 11, 62.50, 1, 2147483647),
	(51, 12, 63.75, 1, 2147483647),
	(52, 13, 65.00, 1, 2147483647),
	(53, 14, 66.25, 1, 2147483647),
	(54, 15, 67.50, 1, 2147483647),
	(55, 16, 68.75, 1, 2147483647),
	(56, 17, 70.00, 1, 2147483647),
	(57, 18, 71.25, 1, 2147483647),
	(58, 19, 72.50, 1, 2147483647),
	(59, 20, 73.75, 1, 2147483647),
	(60, 21, 75.00, 1, 2147483647),
	(1, 2, 1.25, 1, 2),
	(2, 3, 2.50, 1, 2),
	(3, 4, 3.75, 1, 2),
	(4, 5, 5.00, 1, 2),
	(5, 6, 6.25, 1, 2),
	(10, 11, 12.50, 1, 3);
INSERT INTO public."yellowforensic_Store1_orders_merge" VALUES
	(10, 11, 0.00, 3, 2147483647);
INSERT INTO public."yellowforensic_Store2_products_map" VALUES
	(16400, 0, 10, 7358667641884244050, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)"}', '{733,733,733,733,733,733,733,733,733,733}', '{p1,p2,p3,p4,p5,p6,p7,p8,p9,p10}');
INSERT INTO public."yellowforensic_Store2_products_merge" VALUES
	('p1', 'product 1', 1, 2147483647),
	('p2', 'product 2', 1, 2147483647),
	('p3', 'product 3', 1, 2147483647),
	('p4', 'product 4', 1, 2147483647),
	('p5', 'product 5', 1, 2147483647),
	('p6', 'product 6', 1, 2147483647),
	('p7', 'product 7', 1, 2147483647),
	('p8', 'product 8', 1, 2147483647),
	('p9', 'product 9', 1, 2147483647),
	('p10', 'product 10', 1, 2147483647);
INSERT INTO public."yellowforensic_Store3_events_map" VALUES
	(16407, 0, 21, -4198661450389437520, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,20)","(0,21)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775}', '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21}');
INSERT INTO public."yellowforensic_Store3_events_map_staging" VALUES
	(16407, 0, 22, -2365061306730957838, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,20)","(0,21)","(0,22)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775,857}', '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,21}');
INSERT INTO public."yellowforensic_Store3_events_merge" VALUES
	(1, 'event 1', 1, 2147483647),
	(2, 'event 2', 1, 2147483647),
	(3, 'event 3', 1, 2147483647),
	(4, 'event 4', 1, 2147483647),
	(5, 'event 5', 1, 2147483647),
	(6, 'event 6', 1, 2147483647),
	(7, 'event 7', 1, 2147483647),
	(8, 'event 8', 1, 2147483647),
	(9, 'event 9', 1, 2147483647),
	(10, 'event 10', 1, 2147483647),
	(11, 'event 11', 1, 2147483647),
	(12, 'event 12', 1, 2147483647),
	(13, 'event 13', 1, 2147483647),
	(14, 'event 14', 1, 2147483647),
	(15, 'event 15', 1, 2147483647),
	(16, 'event 16', 1, 2147483647),
	(17, 'event 17', 1, 2147483647),
	(18, 'event 18', 1, 2147483647),
	(19, 'event 19', 1, 2147483647),
	(20, 'event 20', 1, 2147483647);
INSERT INTO public."yellowforensic_Store3_events_merge" VALUES
	(21, 'event 21', 2, 2147483647);
INSERT INTO public."yellowforensic_Store3_events_staging" VALUES
	(21, 'twice');
INSERT INTO public."yellowforensic_Store3_sensors_map" VALUES
	(16412, 0, 9, 1386069610635788397, '{"(0,1)","(0,2)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)"}', '{733,733,733,733,733,733,733,733,733}', '{1,2,4,5,6,7,8,9,10}');
INSERT INTO public."yellowforensic_Store3_sensors_merge" VALUES
	(1, '2026-01-01 01:00:00+00', 1, 2147483647),
	(2, '2026-01-01 02:00:00+00', 1, 2147483647),
	(4, '2026-01-01 04:00:00+00', 1, 2147483647),
	(5, '2026-01-01 05:00:00+00', 1, 2147483647),
	(6, '2026-01-01 06:00:00+00', 1, 2147483647),
	(7, '2026-01-01 07:00:00+00', 1, 2147483647),
	(8, '2026-01-01 08:00:00+00', 1, 2147483647),
	(9, '2026-01-01 09:00:00+00', 1, 2147483647),
	(10, '2026-01-01 10:00:00+00', 1, 2147483647),
	(3, '2026-01-01 03:00:00+00', 1, 2);
INSERT INTO public.yellowforensic_airflow_dsg VALUES
	('Store3#events', '{"datasets": ["events"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#events"}', 'active', '2026-11-29 22:47:27.777104+00', '2026-11-29 22:47:27.777104+00'),
	('Store3#sensors', '{"datasets": ["sensors"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#sensors"}', 'active', '2026-11-29 22:47:27.777104+00', '2026-11-29 22:47:27.777104+00'),
	('Store1', '{"datasets": ["customers", "orders"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "retries": 5, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store1", "stream_key": "Store1"}', 'active', '2026-11-29 22:47:27.777104+00', '2026-11-29 22:51:26.02203+00'),
	('Store2', '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'retired', '2026-11-29 22:47:27.777104+00', '2026-11-29 22:51:42.377232+00');
INSERT INTO public.yellowforensic_airflow_dsg_history OVERRIDING SYSTEM VALUE VALUES
	(1, 'Store1', 'create', 'ann@host', '2026-11-29 22:47:27.777104+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["customers", "orders"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store1", "stream_key": "Store1"}', 'active'),
	(2, 'Store2', 'create', 'ann@host', '2026-11-29 22:47:27.777104+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'active'),
	(3, 'Store3#events', 'create', 'ann@host', '2026-11-29 22:47:27.777104+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["events"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#events"}', 'active'),
	(4, 'Store3#sensors', 'create', 'ann@host', '2026-11-29 22:47:27.777104+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["sensors"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#sensors"}', 'active'),
	(5, 'Store1', 'set', 'ann@host', '2026-11-29 22:51:26.02203+00', NULL, '{"datasets": ["customers", "orders"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store1", "stream_key": "Store1"}', 'active', '{"datasets": ["customers", "orders"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "retries": 5, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store1", "stream_key": "Store1"}', 'active'),
	(6, 'Store2', 'retire', 'ann@host', '2026-11-29 22:51:42.377232+00', 'c12a07186b4e2fbd4cc36cb89b481245d7d91baa', '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'active', '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "milestoning": "forensic", "namespace_name": "ns", "original_platform_name": "YellowForensic", "platform_name": "yellowforensic", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'retired');
INSERT INTO public.yellowforensic_batch_counter VALUES
	('Store1', 3, '2026-11-29 22:50:32.197667+00', 'round-1-YellowForensic-Store1', '{"code": 0, "error": null, "total": {"total": 96, "deleted": 0, "updated": 2, "inserted": 1, "unchanged": 93}, "run_id": "round-1-YellowForensic-Store1", "batches": 1, "seconds": 1.356, "batch_id": 3, "datasets": {"orders": {"counts": {"total": 55, "deleted": 0, "updated": 1, "inserted": 0, "unchanged": 54}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.431, "strategy": "version_diff"}, "customers": {"counts": {"total": 41, "deleted": 0, "updated": 1, "inserted": 1, "unchanged": 39}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.576, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:31.066950+00:00"}'),
	('Store2', 1, '2026-11-29 22:50:40.35675+00', 'round-1-YellowForensic-Store2', '{"code": 0, "error": null, "total": {"total": 10, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 10}, "run_id": "round-1-YellowForensic-Store2", "batches": 0, "seconds": 0.742, "batch_id": 1, "datasets": {"products": {"counts": {"total": 10, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 10}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.359, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store2", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:39.916393+00:00"}'),
	('Store3#events', 2, '2026-11-29 22:50:48.917469+00', 'round-1-YellowForensic-Store3#events', '{"code": 0, "error": null, "total": {"total": 21, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 21}, "run_id": "round-1-YellowForensic-Store3#events", "batches": 0, "seconds": 0.947, "batch_id": 2, "datasets": {"events": {"counts": {"total": 21, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 21}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.526, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store3#events", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:48.295943+00:00"}'),
	('Store3#sensors', 2, '2026-11-29 22:50:59.713013+00', 'round-1-YellowForensic-Store3#sensors', '{"code": 0, "error": null, "total": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "run_id": "round-1-YellowForensic-Store3#sensors", "batches": 1, "seconds": 1.272, "batch_id": 2, "datasets": {"sensors": {"counts": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.861, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store3#sensors", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:58.776397+00:00"}');
INSERT INTO public.yellowforensic_batch_metrics VALUES
	('Store1', 1, '2026-11-29 22:48:23.869645+00', '2026-11-29 22:48:24.323932+00', 'committed', 100, 0, 0, 100, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "c355918533847fb7e7bac520b2a1fbc60747d27c979d48d33c063213143cd513", "attempt": "1207c563f9b840c1997124c691f7d33e", "datasets": {"orders": {"rows": 60, "audit": false, "guard": {"wal": 31312496, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 751, "server_version": "150018"}, "reason": "the first load", "staged": 60, "seconds": 0.036, "map_kind": "version_diff", "strategy": "initial"}, "customers": {"rows": 40, "audit": false, "guard": {"wal": 31312496, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 751, "server_version": "150018"}, "reason": "the first load", "staged": 40, "seconds": 0.101, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowForensic-Store1', '{"code": 0, "error": null, "total": {"total": 100, "deleted": 0, "updated": 0, "inserted": 100, "unchanged": 0}, "run_id": "first-YellowForensic-Store1", "batches": 1, "seconds": 0.458, "batch_id": 1, "datasets": {"orders": {"counts": {"total": 60, "deleted": 0, "updated": 0, "inserted": 60, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.077, "strategy": "initial"}, "customers": {"counts": {"total": 40, "deleted": 0, "updated": 0, "inserted": 40, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.18, "strategy": "initial"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:48:24.053704+00:00"}', '2026-11-29 22:48:24.053704+00', NULL, 'initial', NULL, NULL),
	('Store2', 1, '2026-11-29 22:48:31.125839+00', '2026-11-29 22:48:31.798911+00', 'committed', 10, 0, 0, 10, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"products": {"table": "products", "columns": ["code", "title"]}}}, "schema": "4d7b86ca0d04b3c8eb056a37372179ac6f2a93a704c4de9a6a7faaed95668571", "attempt": "236ddb2fdb5c4aa4933d9f8d864c1154", "datasets": {"products": {"rows": 10, "audit": false, "guard": {"wal": 31449528, "files": [16400], "model": "93fab5beb3e66449a193dff06c120781a8a6bf71120efa14393c3538a2ca49b0", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16400], "system": "7713728725384870317", "columns": "a938c28143d210c275a629eb1606d597f84ee654a6c67861ea9780f627c4048a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 758, "server_version": "150018"}, "reason": "the first load", "staged": 10, "seconds": 0.267, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowForensic-Store2', '{"code": 0, "error": null, "total": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "run_id": "first-YellowForensic-Store2", "batches": 1, "seconds": 0.681, "batch_id": 1, "datasets": {"products": {"counts": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.455, "strategy": "initial"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store2", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:48:31.329901+00:00"}', '2026-11-29 22:48:31.329901+00', NULL, 'initial', NULL, NULL),
	('Store3#events', 1, '2026-11-29 22:48:38.203745+00', '2026-11-29 22:48:38.629257+00', 'committed', 20, 0, 0, 20, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"events": {"table": "events", "columns": ["id", "word"]}}}, "schema": "a4a616de6ecb2eb7cbba8bd8e1c5113b5e809759ec854e10a540972ba79511ee", "attempt": "a1cb616106cd41fb9fece14df2b397e2", "datasets": {"events": {"rows": 20, "audit": false, "guard": {"wal": 31514512, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 762, "server_version": "150018"}, "reason": "the first load", "staged": 20, "seconds": 0.152, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowForensic-Store3#events', '{"code": 0, "error": null, "total": {"total": 20, "deleted": 0, "updated": 0, "inserted": 20, "unchanged": 0}, "run_id": "first-YellowForensic-Store3#events", "batches": 1, "seconds": 0.432, "batch_id": 1, "datasets": {"events": {"counts": {"total": 20, "deleted": 0, "updated": 0, "inserted": 20, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.259, "strategy": "initial"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store3#events", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:48:38.345474+00:00"}', '2026-11-29 22:48:38.345474+00', NULL, 'initial', NULL, NULL),
	('Store3#sensors', 1, '2026-11-29 22:48:46.476922+00', '2026-11-29 22:48:47.746985+00', 'committed', 10, 0, 0, 10, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"sensors": {"table": "sensors", "columns": ["id", "seen"]}}}, "schema": "b539ac8594697befe73b994a40c7b149e8b93e6fbe804bb89b834954e26d3ff3", "attempt": "5aff145f52e244778fb778edbeb1bd75", "datasets": {"sensors": {"rows": 10, "audit": false, "guard": {"wal": 31635896, "files": [16412], "model": "10e12ef664697b93433c9b0b9792ddd0de955d3b6dbed87656482d88b0d7b848", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16412], "system": "7713728725384870317", "columns": "d9798b0cd4e23b9b5965e4933ce61e3d7ee3ac7e82c660b37c20894821218ac8", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 772, "server_version": "150018"}, "reason": "the first load", "staged": 10, "seconds": 0.488, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowForensic-Store3#sensors', '{"code": 0, "error": null, "total": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "run_id": "first-YellowForensic-Store3#sensors", "batches": 1, "seconds": 1.328, "batch_id": 1, "datasets": {"sensors": {"counts": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.78, "strategy": "initial"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store3#sensors", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:48:46.900414+00:00"}', '2026-11-29 22:48:46.900414+00', NULL, 'initial', NULL, NULL),
	('Store1', 2, '2026-11-29 22:49:30.81697+00', '2026-11-29 22:49:32.891237+00', 'committed', 0, 4, 5, 95, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "c355918533847fb7e7bac520b2a1fbc60747d27c979d48d33c063213143cd513", "attempt": "a0cf0502b16b48d8a99cd1f432325504", "datasets": {"orders": {"rows": 55, "audit": false, "guard": {"wal": 32129024, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 795, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 0, "seconds": 0.4, "map_kind": "version_diff", "strategy": "version_diff"}, "customers": {"rows": 40, "audit": false, "guard": {"wal": 32102520, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 795, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 4, "seconds": 0.592, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-0-YellowForensic-Store1', '{"code": 0, "error": null, "total": {"total": 95, "deleted": 5, "updated": 4, "inserted": 0, "unchanged": 91}, "run_id": "round-0-YellowForensic-Store1", "batches": 1, "seconds": 2.125, "batch_id": 2, "datasets": {"orders": {"counts": {"total": 55, "deleted": 5, "updated": 0, "inserted": 0, "unchanged": 55}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.82, "strategy": "version_diff"}, "customers": {"counts": {"total": 40, "deleted": 0, "updated": 4, "inserted": 0, "unchanged": 36}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.943, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:49:31.048901+00:00"}', '2026-11-29 22:49:31.048901+00', NULL, 'version_diff', NULL, NULL),
	('Store3#events', 2, '2026-11-29 22:49:47.575469+00', '2026-11-29 22:49:48.430684+00', 'committed', 1, 0, 0, 21, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"events": {"table": "events", "columns": ["id", "word"]}}}, "schema": "a4a616de6ecb2eb7cbba8bd8e1c5113b5e809759ec854e10a540972ba79511ee", "attempt": "6c4fb5d202614500be4ebcec9c67a53b", "datasets": {"events": {"rows": 21, "audit": false, "guard": {"wal": 32353192, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 808, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.477, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-0-YellowForensic-Store3#events', '{"code": 0, "error": null, "total": {"total": 21, "deleted": 0, "updated": 0, "inserted": 1, "unchanged": 20}, "run_id": "round-0-YellowForensic-Store3#events", "batches": 1, "seconds": 0.865, "batch_id": 2, "datasets": {"events": {"counts": {"total": 21, "deleted": 0, "updated": 0, "inserted": 1, "unchanged": 20}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.649, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store3#events", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:49:47.729218+00:00"}', '2026-11-29 22:49:47.729218+00', NULL, 'version_diff', NULL, NULL),
	('Store3#sensors', 2, '2026-11-29 22:50:58.488931+00', '2026-11-29 22:50:59.709988+00', 'committed', 0, 0, 1, 9, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"sensors": {"table": "sensors", "columns": ["id", "seen"]}}}, "schema": "b539ac8594697befe73b994a40c7b149e8b93e6fbe804bb89b834954e26d3ff3", "attempt": "74f3e430cc80422f91295957ce6ff557", "datasets": {"sensors": {"rows": 9, "audit": false, "guard": {"wal": 33147632, "files": [16412], "model": "10e12ef664697b93433c9b0b9792ddd0de955d3b6dbed87656482d88b0d7b848", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16412], "system": "7713728725384870317", "columns": "d9798b0cd4e23b9b5965e4933ce61e3d7ee3ac7e82c660b37c20894821218ac8", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 851, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 0, "seconds": 0.485, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-1-YellowForensic-Store3#sensors', '{"code": 0, "error": null, "total": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "run_id": "round-1-YellowForensic-Store3#sensors", "batches": 1, "seconds": 1.272, "batch_id": 2, "datasets": {"sensors": {"counts": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.861, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store3#sensors", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:58.776397+00:00"}', '2026-11-29 22:50:58.776397+00', NULL, 'version_diff', NULL, NULL),
	('Store1', 3, '2026-11-29 22:50:30.841798+00', '2026-11-29 22:50:32.180641+00', 'committed', 1, 2, 0, 96, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "c355918533847fb7e7bac520b2a1fbc60747d27c979d48d33c063213143cd513", "attempt": "0756cab6f8004c1cb551efe87f2c14f1", "datasets": {"orders": {"rows": 55, "audit": false, "guard": {"wal": 32874496, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 832, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.268, "map_kind": "version_diff", "strategy": "version_diff"}, "customers": {"rows": 41, "audit": false, "guard": {"wal": 32839880, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 832, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 2, "seconds": 0.426, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-1-YellowForensic-Store1', '{"code": 0, "error": null, "total": {"total": 96, "deleted": 0, "updated": 2, "inserted": 1, "unchanged": 93}, "run_id": "round-1-YellowForensic-Store1", "batches": 1, "seconds": 1.356, "batch_id": 3, "datasets": {"orders": {"counts": {"total": 55, "deleted": 0, "updated": 1, "inserted": 0, "unchanged": 54}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.431, "strategy": "version_diff"}, "customers": {"counts": {"total": 41, "deleted": 0, "updated": 1, "inserted": 1, "unchanged": 39}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.576, "strategy": "version_diff"}}, "platform": "YellowForensic", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:31.066950+00:00"}', '2026-11-29 22:50:31.06695+00', NULL, 'version_diff', NULL, NULL),
	('Store3#events', 3, '2026-11-29 22:52:01.685598+00', '2026-11-29 22:52:02.814054+00', 'failed', NULL, NULL, NULL, NULL, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"events": {"table": "events", "columns": ["id", "word"]}}}, "schema": "a4a616de6ecb2eb7cbba8bd8e1c5113b5e809759ec854e10a540972ba79511ee", "attempt": "022657fbc49548a499a301fa506065a8", "datasets": {"events": {"rows": 22, "audit": false, "guard": {"wal": 33288288, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 863, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.527, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'failing-YellowForensic-Store3#events', NULL, '2026-11-29 22:52:02.080391+00', NULL, 'version_diff', 'YellowForensic Store3#events events: key (id): keys of more than one row in the source: 1. Mend them; to find them in the source: SELECT "id", count(*) FROM "public"."events" GROUP BY "id" HAVING count(*) > 1', false),
	('Store1', 4, '2026-11-29 22:52:12.150541+00', NULL, 'ingested', NULL, NULL, NULL, NULL, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "c355918533847fb7e7bac520b2a1fbc60747d27c979d48d33c063213143cd513", "attempt": "46edc1b4730b477a91ee84f5a07bb0c3", "datasets": {"orders": {"rows": 55, "audit": false, "guard": {"wal": 33374208, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 868, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 0, "seconds": 0.153, "map_kind": "version_diff", "strategy": "version_diff"}, "customers": {"rows": 40, "audit": false, "guard": {"wal": 33351648, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 868, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.381, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'killed', NULL, '2026-11-29 22:52:12.383749+00', NULL, 'version_diff', NULL, NULL);
INSERT INTO public.yellowforensic_model_state VALUES
	(1, 'c12a07186b4e2fbd4cc36cb89b481245d7d91baa', '2026-11-29 22:51:42.395728+00', 'ann@host');
INSERT INTO public.yellowforensic_rejected_keys VALUES
	('Store3#events', 3, 'events', 'duplicate', '{"id": 21}', 2, '2026-11-29 22:52:02.809543+00');
INSERT INTO public.yellowforensic_row_maps VALUES
	('Store2', 'products', 'version_diff', '{"wal": 31449528, "files": [16400], "model": "93fab5beb3e66449a193dff06c120781a8a6bf71120efa14393c3538a2ca49b0", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16400], "system": "7713728725384870317", "columns": "a938c28143d210c275a629eb1606d597f84ee654a6c67861ea9780f627c4048a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 758, "server_version": "150018"}', 1, '2026-11-29 22:48:31.793095+00', NULL),
	('Store3#events', 'events', 'version_diff', '{"wal": 32353192, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 808, "server_version": "150018"}', 2, '2026-11-29 22:48:38.618187+00', NULL),
	('Store1', 'customers', 'version_diff', '{"wal": 32839880, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 832, "server_version": "150018"}', 3, '2026-11-29 22:48:24.276891+00', NULL),
	('Store1', 'orders', 'version_diff', '{"wal": 32874496, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 832, "server_version": "150018"}', 3, '2026-11-29 22:48:24.320708+00', NULL),
	('Store3#sensors', 'sensors', 'version_diff', '{"wal": 33147632, "files": [16412], "model": "10e12ef664697b93433c9b0b9792ddd0de955d3b6dbed87656482d88b0d7b848", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16412], "system": "7713728725384870317", "columns": "d9798b0cd4e23b9b5965e4933ce61e3d7ee3ac7e82c660b37c20894821218ac8", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 851, "server_version": "150018"}', 2, '2026-11-29 22:48:47.700841+00', NULL);
INSERT INTO public."yellowlive_Store1_customers_map" VALUES
	(16388, 0, 41, -2249953429313314397, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,21)","(0,22)","(0,23)","(0,24)","(0,25)","(0,26)","(0,27)","(0,28)","(0,29)","(0,31)","(0,32)","(0,33)","(0,34)","(0,35)","(0,36)","(0,37)","(0,38)","(0,39)","(0,42)","(0,43)","(0,44)","(0,45)","(0,46)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775,775,775,814,814}', '{1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,21,22,23,24,25,26,27,28,29,31,32,33,34,35,36,37,38,39,20,30,40,41,10}');
INSERT INTO public."yellowlive_Store1_customers_merge" VALUES
	(1, 'customer 1', 'c1@example.com'),
	(2, 'customer 2', 'c2@example.com'),
	(3, 'customer 3', 'c3@example.com'),
	(4, 'customer 4', 'c4@example.com'),
	(5, 'customer 5', 'c5@example.com'),
	(6, 'customer 6', 'c6@example.com'),
	(7, 'customer 7', 'c7@example.com'),
	(8, 'customer 8', 'c8@example.com'),
	(9, 'customer 9', 'c9@example.com'),
	(11, 'customer 11', 'c11@example.com'),
	(12, 'customer 12', 'c12@example.com'),
	(13, 'customer 13', 'c13@example.com'),
	(14, 'customer 14', 'c14@example.com'),
	(15, 'customer 15', 'c15@example.com'),
	(16, 'customer 16', 'c16@example.com'),
	(17, 'customer 17', 'c17@example.com'),
	(18, 'customer 18', 'c18@example.com'),
	(19, 'customer 19', 'c19@example.com'),
	(21, 'customer 21', 'c21@example.com'),
	(22, 'customer 22', 'c22@example.com');
INSERT INTO public."yellowlive_Store1_customers_merge" VALUES
	(23, 'customer 23', 'c23@example.com'),
	(24, 'customer 24', 'c24@example.com'),
	(25, 'customer 25', 'c25@example.com'),
	(26, 'customer 26', 'c26@example.com'),
	(27, 'customer 27', 'c27@example.com'),
	(28, 'customer 28', 'c28@example.com'),
	(29, 'customer 29', 'c29@example.com'),
	(31, 'customer 31', 'c31@example.com'),
	(32, 'customer 32', 'c32@example.com'),
	(33, 'customer 33', 'c33@example.com'),
	(34, 'customer 34', 'c34@example.com'),
	(35, 'customer 35', 'c35@example.com'),
	(36, 'customer 36', 'c36@example.com'),
	(37, 'customer 37', 'c37@example.com'),
	(38, 'customer 38', 'c38@example.com'),
	(39, 'customer 39', 'c39@example.com'),
	(20, 'customer 20', NULL),
	(30, 'customer 30', NULL),
	(40, 'customer 40', NULL),
	(10, 'customer 10', 'back@example.com');
INSERT INTO public."yellowlive_Store1_customers_merge" VALUES
	(41, 'customer 41', 'c41@example.com');
INSERT INTO public."yellowlive_Store1_orders_map" VALUES
	(16395, 0, 55, 1020431267354965023, '{"(0,6)","(0,7)","(0,8)","(0,9)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,20)","(0,21)","(0,22)","(0,23)","(0,24)","(0,25)","(0,26)","(0,27)","(0,28)","(0,29)","(0,30)","(0,31)","(0,32)","(0,33)","(0,34)","(0,35)","(0,36)","(0,37)","(0,38)","(0,39)","(0,40)","(0,41)","(0,42)","(0,43)","(0,44)","(0,45)","(0,46)","(0,47)","(0,48)","(0,49)","(0,50)","(0,51)","(0,52)","(0,53)","(0,54)","(0,55)","(0,56)","(0,57)","(0,58)","(0,59)","(0,60)","(0,61)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,814}', '{6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,10}');
INSERT INTO public."yellowlive_Store1_orders_merge" VALUES
	(6, 7, 7.50),
	(7, 8, 8.75),
	(8, 9, 10.00),
	(9, 10, 11.25),
	(11, 12, 13.75),
	(12, 13, 15.00),
	(13, 14, 16.25),
	(14, 15, 17.50),
	(15, 16, 18.75),
	(16, 17, 20.00),
	(17, 18, 21.25),
	(18, 19, 22.50),
	(19, 20, 23.75),
	(20, 21, 25.00),
	(21, 22, 26.25),
	(22, 23, 27.50),
	(23, 24, 28.75),
	(24, 25, 30.00),
	(25, 26, 31.25),
	(26, 27, 32.50);
INSERT INTO public."yellowlive_Store1_orders_merge" VALUES
	(27, 28, 33.75),
	(28, 29, 35.00),
	(29, 30, 36.25),
	(30, 31, 37.50),
	(31, 32, 38.75),
	(32, 33, 40.00),
	(33, 34, 41.25),
	(34, 35, 42.50),
	(35, 36, 43.75),
	(36, 37, 45.00),
	(37, 38, 46.25),
	(38, 39, 47.50),
	(39, 40, 48.75),
	(40, 1, 50.00),
	(41, 2, 51.25),
	(42, 3, 52.50),
	(43, 4, 53.75),
	(44, 5, 55.00),
	(45, 6, 56.25),
	(46, 7, 57.50);
INSERT INTO public."yellowlive_Store1_orders_merge" VALUES
	(47, 8, 58.75),
	(48, 9, 60.00),
	(49, 10, 61.25),
	(50, 11, 62.50),
	(51, 12, 63.75),
	(52, 13, 65.00),
	(53, 14, 66.25),
	(54, 15, 67.50),
	(55, 16, 68.75),
	(56, 17, 70.00),
	(57, 18, 71.25),
	(58, 19, 72.50),
	(59, 20, 73.75),
	(60, 21, 75.00),
	(10, 11, 0.00);
INSERT INTO public."yellowlive_Store2_products_map" VALUES
	(16400, 0, 10, 7358667641884244050, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)"}', '{733,733,733,733,733,733,733,733,733,733}', '{p1,p2,p3,p4,p5,p6,p7,p8,p9,p10}');
INSERT INTO public."yellowlive_Store2_products_merge" VALUES
	('p1', 'product 1'),
	('p2', 'product 2'),
	('p3', 'product 3'),
	('p4', 'product 4'),
	('p5', 'product 5'),
	('p6', 'product 6'),
	('p7', 'product 7'),
	('p8', 'product 8'),
	('p9', 'product 9'),
	('p10', 'product 10');
INSERT INTO public."yellowlive_Store3_events_map" VALUES
	(16407, 0, 21, -4198661450389437520, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,20)","(0,21)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775}', '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21}');
INSERT INTO public."yellowlive_Store3_events_map_staging" VALUES
	(16407, 0, 22, -2365061306730957838, '{"(0,1)","(0,2)","(0,3)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)","(0,11)","(0,12)","(0,13)","(0,14)","(0,15)","(0,16)","(0,17)","(0,18)","(0,19)","(0,20)","(0,21)","(0,22)"}', '{733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,733,775,857}', '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,21}');
INSERT INTO public."yellowlive_Store3_events_merge" VALUES
	(1, 'event 1'),
	(2, 'event 2'),
	(3, 'event 3'),
	(4, 'event 4'),
	(5, 'event 5'),
	(6, 'event 6'),
	(7, 'event 7'),
	(8, 'event 8'),
	(9, 'event 9'),
	(10, 'event 10'),
	(11, 'event 11'),
	(12, 'event 12'),
	(13, 'event 13'),
	(14, 'event 14'),
	(15, 'event 15'),
	(16, 'event 16'),
	(17, 'event 17'),
	(18, 'event 18'),
	(19, 'event 19'),
	(20, 'event 20');
INSERT INTO public."yellowlive_Store3_events_merge" VALUES
	(21, 'event 21');
INSERT INTO public."yellowlive_Store3_events_staging" VALUES
	(21, 'twice');
INSERT INTO public."yellowlive_Store3_sensors_map" VALUES
	(16412, 0, 9, 1386069610635788397, '{"(0,1)","(0,2)","(0,4)","(0,5)","(0,6)","(0,7)","(0,8)","(0,9)","(0,10)"}', '{733,733,733,733,733,733,733,733,733}', '{1,2,4,5,6,7,8,9,10}');
INSERT INTO public."yellowlive_Store3_sensors_merge" VALUES
	(1, '2026-01-01 01:00:00+00'),
	(2, '2026-01-01 02:00:00+00'),
	(4, '2026-01-01 04:00:00+00'),
	(5, '2026-01-01 05:00:00+00'),
	(6, '2026-01-01 06:00:00+00'),
	(7, '2026-01-01 07:00:00+00'),
	(8, '2026-01-01 08:00:00+00'),
	(9, '2026-01-01 09:00:00+00'),
	(10, '2026-01-01 10:00:00+00');
INSERT INTO public.yellowlive_airflow_dsg VALUES
	('Store1', '{"datasets": ["customers", "orders"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store1", "stream_key": "Store1"}', 'active', '2026-11-29 22:47:28.012418+00', '2026-11-29 22:47:28.012418+00'),
	('Store3#events', '{"datasets": ["events"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#events"}', 'active', '2026-11-29 22:47:28.012418+00', '2026-11-29 22:47:28.012418+00'),
	('Store3#sensors', '{"datasets": ["sensors"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#sensors"}', 'paused', '2026-11-29 22:47:28.012418+00', '2026-11-29 22:51:11.4844+00'),
	('Store2', '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'retired', '2026-11-29 22:47:28.012418+00', '2026-11-29 22:51:42.504398+00');
INSERT INTO public.yellowlive_airflow_dsg_history OVERRIDING SYSTEM VALUE VALUES
	(1, 'Store1', 'create', 'ann@host', '2026-11-29 22:47:28.012418+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["customers", "orders"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store1", "stream_key": "Store1"}', 'active'),
	(2, 'Store2', 'create', 'ann@host', '2026-11-29 22:47:28.012418+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'active'),
	(3, 'Store3#events', 'create', 'ann@host', '2026-11-29 22:47:28.012418+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["events"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#events"}', 'active'),
	(4, 'Store3#sensors', 'create', 'ann@host', '2026-11-29 22:47:28.012418+00', '8df9c28eea2257346ca3904e101b33b42d3b178e', NULL, NULL, '{"datasets": ["sensors"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#sensors"}', 'active'),
	(5, 'Store3#sensors', 'pause', 'ann@host', '2026-11-29 22:51:11.4844+00', NULL, '{"datasets": ["sensors"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#sensors"}', 'active', '{"datasets": ["sensors"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": true, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store3", "stream_key": "Store3#sensors"}', 'paused'),
	(6, 'Store2', 'retire', 'ann@host', '2026-11-29 22:51:42.504398+00', 'c12a07186b4e2fbd4cc36cb89b481245d7d91baa', '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'active', '{"datasets": ["products"], "datasurface_docker_image": "registry.example/merge-job:0.1.0", "git_credential_secret_name": "git", "git_repo_branch": "main", "git_repo_url": "https://git.example/team/model.git", "ingestion_type": "sql_snapshot", "latency_seconds": 600, "namespace_name": "ns", "original_platform_name": "YellowLive", "platform_name": "yellowlive", "postgres_credential_secret_name": "postgres", "postgres_database": "store", "postgres_hostname": "pg-data", "postgres_port": 5432, "schedule": "* * * * *", "single_dataset": false, "slack_credential_secret_name": "slack", "source_credential_secret_name": "producer", "store_name": "Store2", "stream_key": "Store2"}', 'retired');
INSERT INTO public.yellowlive_batch_counter VALUES
	('Store2', 1, '2026-11-29 22:50:12.91775+00', 'round-1-YellowLive-Store2', '{"code": 0, "error": null, "total": {"total": 10, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 10}, "run_id": "round-1-YellowLive-Store2", "batches": 0, "seconds": 0.663, "batch_id": 1, "datasets": {"products": {"counts": {"total": 10, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 10}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.379, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store2", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:12.472936+00:00"}'),
	('Store3#events', 2, '2026-11-29 22:50:20.323723+00', 'round-1-YellowLive-Store3#events', '{"code": 0, "error": null, "total": {"total": 21, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 21}, "run_id": "round-1-YellowLive-Store3#events", "batches": 0, "seconds": 0.483, "batch_id": 2, "datasets": {"events": {"counts": {"total": 21, "deleted": 0, "updated": 0, "inserted": 0, "unchanged": 21}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.26, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store3#events", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:20.004850+00:00"}'),
	('Store3#sensors', 2, '2026-11-29 22:50:25.545842+00', 'round-1-YellowLive-Store3#sensors', '{"code": 0, "error": null, "total": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "run_id": "round-1-YellowLive-Store3#sensors", "batches": 1, "seconds": 0.545, "batch_id": 2, "datasets": {"sensors": {"counts": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.314, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store3#sensors", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:25.165509+00:00"}'),
	('Store1', 3, '2026-11-29 22:50:05.504747+00', 'round-1-YellowLive-Store1', '{"code": 0, "error": null, "total": {"total": 96, "deleted": 0, "updated": 2, "inserted": 1, "unchanged": 93}, "run_id": "round-1-YellowLive-Store1", "batches": 1, "seconds": 1.855, "batch_id": 3, "datasets": {"orders": {"counts": {"total": 55, "deleted": 0, "updated": 1, "inserted": 0, "unchanged": 54}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.661, "strategy": "version_diff"}, "customers": {"counts": {"total": 41, "deleted": 0, "updated": 1, "inserted": 1, "unchanged": 39}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.888, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:03.851028+00:00"}');
INSERT INTO public.yellowlive_batch_metrics VALUES
	('Store1', 1, '2026-11-29 22:47:49.115182+00', '2026-11-29 22:47:50.301134+00', 'committed', 100, 0, 0, 100, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "d11c7a6305718d99700a9b0b0b4eff3759bd11fccfb0e1ddb7eeca1768b46cd8", "attempt": "8ba566129c6c4b5aa6ea3a0dc817ab99", "datasets": {"orders": {"rows": 60, "audit": false, "guard": {"wal": 30982144, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 737, "server_version": "150018"}, "reason": "the first load", "staged": 60, "seconds": 0.292, "map_kind": "version_diff", "strategy": "initial"}, "customers": {"rows": 40, "audit": false, "guard": {"wal": 30967920, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 737, "server_version": "150018"}, "reason": "the first load", "staged": 40, "seconds": 0.373, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowLive-Store1', '{"code": 0, "error": null, "total": {"total": 100, "deleted": 0, "updated": 0, "inserted": 100, "unchanged": 0}, "run_id": "first-YellowLive-Store1", "batches": 1, "seconds": 1.249, "batch_id": 1, "datasets": {"orders": {"counts": {"total": 60, "deleted": 0, "updated": 0, "inserted": 60, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.427, "strategy": "initial"}, "customers": {"counts": {"total": 40, "deleted": 0, "updated": 0, "inserted": 40, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.498, "strategy": "initial"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:47:49.347293+00:00"}', '2026-11-29 22:47:49.347293+00', NULL, 'initial', NULL, NULL),
	('Store2', 1, '2026-11-29 22:47:59.071303+00', '2026-11-29 22:47:59.701127+00', 'committed', 10, 0, 0, 10, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"products": {"table": "products", "columns": ["code", "title"]}}}, "schema": "42a65c7620d9c62fc96e7a09d65c9c40c2f9f35d1fc3fa372583569fb32e3355", "attempt": "8100091bce274bdd96d253c1609a89b2", "datasets": {"products": {"rows": 10, "audit": false, "guard": {"wal": 31074248, "files": [16400], "model": "93fab5beb3e66449a193dff06c120781a8a6bf71120efa14393c3538a2ca49b0", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16400], "system": "7713728725384870317", "columns": "a938c28143d210c275a629eb1606d597f84ee654a6c67861ea9780f627c4048a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 741, "server_version": "150018"}, "reason": "the first load", "staged": 10, "seconds": 0.257, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowLive-Store2', '{"code": 0, "error": null, "total": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "run_id": "first-YellowLive-Store2", "batches": 1, "seconds": 0.674, "batch_id": 1, "datasets": {"products": {"counts": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.393, "strategy": "initial"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store2", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:47:59.260912+00:00"}', '2026-11-29 22:47:59.260912+00', NULL, 'initial', NULL, NULL),
	('Store3#events', 1, '2026-11-29 22:48:06.149771+00', '2026-11-29 22:48:06.564698+00', 'committed', 20, 0, 0, 20, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"events": {"table": "events", "columns": ["id", "word"]}}}, "schema": "c31eae413ca39498e01b949cac77ae62f0405b8f701c233b1e30bc42a612e203", "attempt": "35d8c36ebcb448c890bc435a8b7879b8", "datasets": {"events": {"rows": 20, "audit": false, "guard": {"wal": 31132128, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 744, "server_version": "150018"}, "reason": "the first load", "staged": 20, "seconds": 0.205, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowLive-Store3#events', '{"code": 0, "error": null, "total": {"total": 20, "deleted": 0, "updated": 0, "inserted": 20, "unchanged": 0}, "run_id": "first-YellowLive-Store3#events", "batches": 1, "seconds": 0.43, "batch_id": 1, "datasets": {"events": {"counts": {"total": 20, "deleted": 0, "updated": 0, "inserted": 20, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.288, "strategy": "initial"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store3#events", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:48:06.249400+00:00"}', '2026-11-29 22:48:06.2494+00', NULL, 'initial', NULL, NULL),
	('Store3#sensors', 1, '2026-11-29 22:48:13.268946+00', '2026-11-29 22:48:13.750862+00', 'committed', 10, 0, 0, 10, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"sensors": {"table": "sensors", "columns": ["id", "seen"]}}}, "schema": "8e753695bc84272530fa9f6f8bb3fa74864d479738b98f5ec0ad7e4282cb4be4", "attempt": "4bec34e9cb244c22a83d061873bb673b", "datasets": {"sensors": {"rows": 10, "audit": false, "guard": {"wal": 31191024, "files": [16412], "model": "10e12ef664697b93433c9b0b9792ddd0de955d3b6dbed87656482d88b0d7b848", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16412], "system": "7713728725384870317", "columns": "d9798b0cd4e23b9b5965e4933ce61e3d7ee3ac7e82c660b37c20894821218ac8", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 747, "server_version": "150018"}, "reason": "the first load", "staged": 10, "seconds": 0.228, "map_kind": "version_diff", "strategy": "initial"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'first-YellowLive-Store3#sensors', '{"code": 0, "error": null, "total": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "run_id": "first-YellowLive-Store3#sensors", "batches": 1, "seconds": 0.488, "batch_id": 1, "datasets": {"sensors": {"counts": {"total": 10, "deleted": 0, "updated": 0, "inserted": 10, "unchanged": 0}, "reason": "the first load", "quality": [], "seconds": 0.297, "strategy": "initial"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store3#sensors", "model_commit": null, "shape_changed": true, "source_snapshot_time": "2026-11-29T22:48:13.437382+00:00"}', '2026-11-29 22:48:13.437382+00', NULL, 'initial', NULL, NULL),
	('Store1', 2, '2026-11-29 22:48:56.857595+00', '2026-11-29 22:48:58.053131+00', 'committed', 0, 4, 5, 95, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "d11c7a6305718d99700a9b0b0b4eff3759bd11fccfb0e1ddb7eeca1768b46cd8", "attempt": "352bc8800cb24321a1d1070784bbf265", "datasets": {"orders": {"rows": 55, "audit": false, "guard": {"wal": 31711232, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 777, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 0, "seconds": 0.367, "map_kind": "version_diff", "strategy": "version_diff"}, "customers": {"rows": 40, "audit": false, "guard": {"wal": 31695752, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 777, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 4, "seconds": 0.273, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-0-YellowLive-Store1', '{"code": 0, "error": null, "total": {"total": 95, "deleted": 5, "updated": 4, "inserted": 0, "unchanged": 91}, "run_id": "round-0-YellowLive-Store1", "batches": 1, "seconds": 1.212, "batch_id": 2, "datasets": {"orders": {"counts": {"total": 55, "deleted": 5, "updated": 0, "inserted": 0, "unchanged": 55}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.485, "strategy": "version_diff"}, "customers": {"counts": {"total": 40, "deleted": 0, "updated": 4, "inserted": 0, "unchanged": 36}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.455, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:48:57.028419+00:00"}', '2026-11-29 22:48:57.028419+00', NULL, 'version_diff', NULL, NULL),
	('Store3#events', 2, '2026-11-29 22:49:11.808851+00', '2026-11-29 22:49:12.577573+00', 'committed', 1, 0, 0, 21, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"events": {"table": "events", "columns": ["id", "word"]}}}, "schema": "c31eae413ca39498e01b949cac77ae62f0405b8f701c233b1e30bc42a612e203", "attempt": "892949123fac422fafef3fa3ff6d059e", "datasets": {"events": {"rows": 21, "audit": false, "guard": {"wal": 31984680, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 788, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.37, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-0-YellowLive-Store3#events', '{"code": 0, "error": null, "total": {"total": 21, "deleted": 0, "updated": 0, "inserted": 1, "unchanged": 20}, "run_id": "round-0-YellowLive-Store3#events", "batches": 1, "seconds": 0.795, "batch_id": 2, "datasets": {"events": {"counts": {"total": 21, "deleted": 0, "updated": 0, "inserted": 1, "unchanged": 20}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.5, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store3#events", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:49:12.041635+00:00"}', '2026-11-29 22:49:12.041635+00', NULL, 'version_diff', NULL, NULL),
	('Store3#sensors', 2, '2026-11-29 22:50:25.004838+00', '2026-11-29 22:50:25.535158+00', 'committed', 0, 0, 1, 9, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"sensors": {"table": "sensors", "columns": ["id", "seen"]}}}, "schema": "8e753695bc84272530fa9f6f8bb3fa74864d479738b98f5ec0ad7e4282cb4be4", "attempt": "f5efb0211ab74980ad7a16c08ffdebed", "datasets": {"sensors": {"rows": 9, "audit": false, "guard": {"wal": 32772600, "files": [16412], "model": "10e12ef664697b93433c9b0b9792ddd0de955d3b6dbed87656482d88b0d7b848", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16412], "system": "7713728725384870317", "columns": "d9798b0cd4e23b9b5965e4933ce61e3d7ee3ac7e82c660b37c20894821218ac8", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 828, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 0, "seconds": 0.188, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-1-YellowLive-Store3#sensors', '{"code": 0, "error": null, "total": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "run_id": "round-1-YellowLive-Store3#sensors", "batches": 1, "seconds": 0.545, "batch_id": 2, "datasets": {"sensors": {"counts": {"total": 9, "deleted": 1, "updated": 0, "inserted": 0, "unchanged": 9}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.314, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store3#sensors", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:25.165509+00:00"}', '2026-11-29 22:50:25.165509+00', NULL, 'version_diff', NULL, NULL),
	('Store1', 3, '2026-11-29 22:50:03.6335+00', '2026-11-29 22:50:05.473077+00', 'committed', 1, 2, 0, 96, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"orders": {"table": "orders", "columns": ["id", "customer_id", "amount"]}, "customers": {"table": "customers", "columns": ["id", "name", "email"]}}}, "schema": "d11c7a6305718d99700a9b0b0b4eff3759bd11fccfb0e1ddb7eeca1768b46cd8", "attempt": "4c083b8b8fdd40dabd80f149bdf0291b", "datasets": {"orders": {"rows": 55, "audit": false, "guard": {"wal": 32505856, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 816, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.352, "map_kind": "version_diff", "strategy": "version_diff"}, "customers": {"rows": 41, "audit": false, "guard": {"wal": 32484472, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 816, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 2, "seconds": 0.453, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'round-1-YellowLive-Store1', '{"code": 0, "error": null, "total": {"total": 96, "deleted": 0, "updated": 2, "inserted": 1, "unchanged": 93}, "run_id": "round-1-YellowLive-Store1", "batches": 1, "seconds": 1.855, "batch_id": 3, "datasets": {"orders": {"counts": {"total": 55, "deleted": 0, "updated": 1, "inserted": 0, "unchanged": 54}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.661, "strategy": "version_diff"}, "customers": {"counts": {"total": 41, "deleted": 0, "updated": 1, "inserted": 1, "unchanged": 39}, "reason": "row versions tell what has changed", "quality": [], "seconds": 0.888, "strategy": "version_diff"}}, "platform": "YellowLive", "retryable": false, "truncated": false, "stream_key": "Store1", "model_commit": null, "shape_changed": false, "source_snapshot_time": "2026-11-29T22:50:03.851028+00:00"}', '2026-11-29 22:50:03.851028+00', NULL, 'version_diff', NULL, NULL),
	('Store3#events', 3, '2026-11-29 22:51:53.250034+00', '2026-11-29 22:51:54.063704+00', 'failed', NULL, NULL, NULL, NULL, '{"origin": {"host": "127.0.0.1", "kind": "postgresql", "port": 48829, "schema": "public", "database": "source", "datasets": {"events": {"table": "events", "columns": ["id", "word"]}}}, "schema": "c31eae413ca39498e01b949cac77ae62f0405b8f701c233b1e30bc42a612e203", "attempt": "2691ce1860134731b1723c71cd0cbca2", "datasets": {"events": {"rows": 22, "audit": false, "guard": {"wal": 33225368, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 859, "server_version": "150018"}, "reason": "row versions tell what has changed", "staged": 1, "seconds": 0.307, "map_kind": "version_diff", "strategy": "version_diff"}}, "store_stats_reset": "2026-11-29T22:47:04.216594+00:00"}', 'failing-YellowLive-Store3#events', NULL, '2026-11-29 22:51:53.460643+00', NULL, 'version_diff', 'YellowLive Store3#events events: key (id): keys of more than one row in the source: 1. Mend them; to find them in the source: SELECT "id", count(*) FROM "public"."events" GROUP BY "id" HAVING count(*) > 1', false);
INSERT INTO public.yellowlive_model_state VALUES
	(1, 'c12a07186b4e2fbd4cc36cb89b481245d7d91baa', '2026-11-29 22:51:42.518408+00', 'ann@host');
INSERT INTO public.yellowlive_rejected_keys VALUES
	('Store3#events', 3, 'events', 'duplicate', '{"id": 21}', 2, '2026-11-29 22:51:54.052404+00');
INSERT INTO public.yellowlive_row_maps VALUES
	('Store2', 'products', 'version_diff', '{"wal": 31074248, "files": [16400], "model": "93fab5beb3e66449a193dff06c120781a8a6bf71120efa14393c3538a2ca49b0", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16400], "system": "7713728725384870317", "columns": "a938c28143d210c275a629eb1606d597f84ee654a6c67861ea9780f627c4048a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 741, "server_version": "150018"}', 1, '2026-11-29 22:47:59.672753+00', NULL),
	('Store3#events', 'events', 'version_diff', '{"wal": 31984680, "files": [16407], "model": "135dc6f5b7066350045d92bfc43ba7a908b2212994968ff1db9cec08d2b35d36", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16407], "system": "7713728725384870317", "columns": "d41eda5d722fa1729c5c4c25242f2e1faf458a55187df96249d54eb1795f270a", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 788, "server_version": "150018"}', 2, '2026-11-29 22:48:06.563378+00', NULL),
	('Store1', 'customers', 'version_diff', '{"wal": 32484472, "files": [16388], "model": "d7e474dfb96a15eecdc63f00c32f685e047f15f1d036c07702cfe71efcf0d2ea", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16388], "system": "7713728725384870317", "columns": "0da2086ad82f77dd2baf47279c73a7cc9cd07da37f7e162bf70a8ab190e92bd6", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 816, "server_version": "150018"}', 3, '2026-11-29 22:47:50.157074+00', NULL),
	('Store1', 'orders', 'version_diff', '{"wal": 32505856, "files": [16395], "model": "527c77a6ebb1fe725c77b8af3e5641159c4742919db4a499c2980c49e1025b15", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16395], "system": "7713728725384870317", "columns": "81e0ef90936d5ff7d28f1cfbff6efd471ed4ada46d08e461be3444e2b7860de7", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 816, "server_version": "150018"}', 3, '2026-11-29 22:47:50.297044+00', NULL),
	('Store3#sensors', 'sensors', 'version_diff', '{"wal": 32772600, "files": [16412], "model": "10e12ef664697b93433c9b0b9792ddd0de955d3b6dbed87656482d88b0d7b848", "types": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "leaves": [16412], "system": "7713728725384870317", "columns": "d9798b0cd4e23b9b5965e4933ce61e3d7ee3ac7e82c660b37c20894821218ac8", "started": "2026-11-29 22:47:16.177162+00", "database": "16387", "timeline": "timeline 00000001", "stats_reset": "2026-11-29 22:47:04.216594+00", "transaction": 828, "server_version": "150018"}', 2, '2026-11-29 22:48:13.748888+00', NULL);
SELECT pg_catalog.setval('public.yellowforensic_airflow_dsg_history_id_seq', 6, true);
SELECT pg_catalog.setval('public.yellowlive_airflow_dsg_history_id_seq', 6, true);
ALTER TABLE ONLY public."yellowforensic_Store1_customers_map"
    ADD CONSTRAINT "yellowforensic_Store1_customers_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowforensic_Store1_orders_map"
    ADD CONSTRAINT "yellowforensic_Store1_orders_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowforensic_Store2_products_map"
    ADD CONSTRAINT "yellowforensic_Store2_products_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowforensic_Store3_events_map"
    ADD CONSTRAINT "yellowforensic_Store3_events_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowforensic_Store3_sensors_map"
    ADD CONSTRAINT "yellowforensic_Store3_sensors_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public.yellowforensic_airflow_dsg_history
    ADD CONSTRAINT yellowforensic_airflow_dsg_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.yellowforensic_airflow_dsg
    ADD CONSTRAINT yellowforensic_airflow_dsg_pkey PRIMARY KEY (stream_key);
ALTER TABLE ONLY public.yellowforensic_batch_counter
    ADD CONSTRAINT yellowforensic_batch_counter_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.yellowforensic_batch_metrics
    ADD CONSTRAINT yellowforensic_batch_metrics_pkey PRIMARY KEY (key, batch_id);
ALTER TABLE ONLY public.yellowforensic_model_state
    ADD CONSTRAINT yellowforensic_model_state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.yellowforensic_row_maps
    ADD CONSTRAINT yellowforensic_row_maps_pkey PRIMARY KEY (key, dataset);
ALTER TABLE ONLY public."yellowlive_Store1_customers_map"
    ADD CONSTRAINT "yellowlive_Store1_customers_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowlive_Store1_orders_map"
    ADD CONSTRAINT "yellowlive_Store1_orders_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowlive_Store2_products_map"
    ADD CONSTRAINT "yellowlive_Store2_products_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowlive_Store3_events_map"
    ADD CONSTRAINT "yellowlive_Store3_events_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public."yellowlive_Store3_sensors_map"
    ADD CONSTRAINT "yellowlive_Store3_sensors_map_pkey" PRIMARY KEY (leaf, block);
ALTER TABLE ONLY public.yellowlive_airflow_dsg_history
    ADD CONSTRAINT yellowlive_airflow_dsg_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.yellowlive_airflow_dsg
    ADD CONSTRAINT yellowlive_airflow_dsg_pkey PRIMARY KEY (stream_key);
ALTER TABLE ONLY public.yellowlive_batch_counter
    ADD CONSTRAINT yellowlive_batch_counter_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.yellowlive_batch_metrics
    ADD CONSTRAINT yellowlive_batch_metrics_pkey PRIMARY KEY (key, batch_id);
ALTER TABLE ONLY public.yellowlive_model_state
    ADD CONSTRAINT yellowlive_model_state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.yellowlive_row_maps
    ADD CONSTRAINT yellowlive_row_maps_pkey PRIMARY KEY (key, dataset);
CREATE UNIQUE INDEX "yellowforensic_Store1_customers_merge_key" ON public."yellowforensic_Store1_customers_merge" USING btree (id) WHERE (ds_batch_out = 2147483647);
CREATE INDEX "yellowforensic_Store1_customers_merge_past" ON public."yellowforensic_Store1_customers_merge" USING btree (id) WHERE (ds_batch_out <> 2147483647);
CREATE UNIQUE INDEX "yellowforensic_Store1_orders_merge_key" ON public."yellowforensic_Store1_orders_merge" USING btree (id) WHERE (ds_batch_out = 2147483647);
CREATE INDEX "yellowforensic_Store1_orders_merge_past" ON public."yellowforensic_Store1_orders_merge" USING btree (id) WHERE (ds_batch_out <> 2147483647);
CREATE UNIQUE INDEX "yellowforensic_Store2_products_merge_key" ON public."yellowforensic_Store2_products_merge" USING btree (code) WHERE (ds_batch_out = 2147483647);
CREATE INDEX "yellowforensic_Store2_products_merge_past" ON public."yellowforensic_Store2_products_merge" USING btree (code) WHERE (ds_batch_out <> 2147483647);
CREATE UNIQUE INDEX "yellowforensic_Store3_events_merge_key" ON public."yellowforensic_Store3_events_merge" USING btree (id) WHERE (ds_batch_out = 2147483647);
CREATE INDEX "yellowforensic_Store3_events_merge_past" ON public."yellowforensic_Store3_events_merge" USING btree (id) WHERE (ds_batch_out <> 2147483647);
CREATE UNIQUE INDEX "yellowforensic_Store3_sensors_merge_key" ON public."yellowforensic_Store3_sensors_merge" USING btree (id) WHERE (ds_batch_out = 2147483647);
CREATE INDEX "yellowforensic_Store3_sensors_merge_past" ON public."yellowforensic_Store3_sensors_merge" USING btree (id) WHERE (ds_batch_out <> 2147483647);
CREATE INDEX yellowforensic_airflow_dsg_history_stream_key_id_idx ON public.yellowforensic_airflow_dsg_history USING btree (stream_key, id);
CREATE INDEX yellowforensic_batch_metrics_run ON public.yellowforensic_batch_metrics USING btree (key, run_id);
CREATE INDEX yellowforensic_batch_metrics_told ON public.yellowforensic_batch_metrics USING btree (key, batch_id) WHERE (result_json IS NOT NULL);
CREATE UNIQUE INDEX "yellowlive_Store1_customers_merge_key" ON public."yellowlive_Store1_customers_merge" USING btree (id);
CREATE UNIQUE INDEX "yellowlive_Store1_orders_merge_key" ON public."yellowlive_Store1_orders_merge" USING btree (id);
CREATE UNIQUE INDEX "yellowlive_Store2_products_merge_key" ON public."yellowlive_Store2_products_merge" USING btree (code);
CREATE UNIQUE INDEX "yellowlive_Store3_events_merge_key" ON public."yellowlive_Store3_events_merge" USING btree (id);
CREATE UNIQUE INDEX "yellowlive_Store3_sensors_merge_key" ON public."yellowlive_Store3_sensors_merge" USING btree (id);
CREATE INDEX yellowlive_airflow_dsg_history_stream_key_id_idx ON public.yellowlive_airflow_dsg_history USING btree (stream_key, id);
CREATE INDEX yellowlive_batch_metrics_run ON public.yellowlive_batch_metrics USING btree (key, run_id);
CREATE INDEX yellowlive_batch_metrics_told ON public.yellowlive_batch_metrics USING btree (key, batch_id) WHERE (result_json IS NOT NULL);
