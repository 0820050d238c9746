-- In a lake: the rows are in Iceberg tables, and the merge table has the current keys, with a hash of each row and the
-- batch that its version came with. First what a table is made of, then a batch in the order it runs, then the catalogue.

-- name: create_merge_table
CREATE TABLE {merge} (
    {key_columns},
    {hash} uuid NOT NULL,
    ds_batch_in integer NOT NULL
)

-- name: create_key_index
-- Duplicates cannot be written even by mistake.
CREATE UNIQUE INDEX {key_index} ON {merge} ({key})

-- name: count_open
SELECT count(*) FROM {merge}

-- name: find_delta
-- Every key whose rows differ, once, as a pair of row addresses: by hashes, as the lake is not read for that.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged
FROM {staging} s FULL JOIN {merge} m ON {key_equal}
WHERE s.ctid IS NULL OR m.ctid IS NULL OR {row_hash} <> m.{hash}

-- name: find_changes
-- The same where only some rows are staged: all that may have changed, with the keys that are gone.
CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS
SELECT s.ctid AS staged, m.ctid AS merged
FROM {staging} s LEFT JOIN {merge} m ON {key_equal}
WHERE m.ctid IS NULL OR {row_hash} <> m.{hash}
UNION ALL
SELECT NULL, m.ctid FROM {gone} s JOIN {merge} m ON {key_equal}

-- name: count_misfits
-- Values of new and changed rows that have no place in Iceberg's types, by column.
SELECT {misfits} FROM {delta} d JOIN {staging} s ON s.ctid = d.staged

-- name: find_closed
-- The versions that end with the batch, before their keys are gone or get the next one.
CREATE TEMPORARY TABLE {closed} ON COMMIT DROP AS
SELECT {mapped_key}, m.ds_batch_in FROM {delta} d JOIN {merge} m ON m.ctid = d.merged

-- name: delete_gone
DELETE FROM {merge} m USING {delta} d WHERE m.ctid = d.merged AND d.staged IS NULL

-- name: update_changed
UPDATE {merge} m SET {hash} = {row_hash}, ds_batch_in = %(batch_id)s
FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
WHERE m.ctid = d.merged

-- name: insert_new
INSERT INTO {merge} ({key}, {hash}, ds_batch_in)
SELECT {staged_key}, {row_hash}, %(batch_id)s FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
WHERE d.merged IS NULL

-- name: versions_out
-- Into files of the lake.
COPY (
    SELECT {written_columns}, {batch} FROM {delta} d JOIN {staging} s ON s.ctid = d.staged
) TO STDOUT (FORMAT csv, ENCODING 'UTF8')

-- name: closings_out
COPY (SELECT {written_key}, s.ds_batch_in, {batch} FROM {closed} s) TO STDOUT (FORMAT csv, ENCODING 'UTF8')

-- name: drop_closed
DROP TABLE {closed}

-- name: lock_catalog
-- Until the transaction ends: jobs of other streams make the same tables.
SELECT pg_advisory_xact_lock(%(lock)s)

-- name: create_catalog
-- As the JDBC catalogue of Iceberg makes them (its schema V1), for Spark and Trino.
CREATE TABLE IF NOT EXISTS {iceberg_tables} (
    catalog_name varchar(255) NOT NULL,
    table_namespace varchar(255) NOT NULL,
    table_name varchar(255) NOT NULL,
    metadata_location varchar(1000),
    previous_metadata_location varchar(1000),
    iceberg_type varchar(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE IF NOT EXISTS {iceberg_namespaces} (
    catalog_name varchar(255) NOT NULL,
    namespace varchar(255) NOT NULL,
    property_key varchar(255) NOT NULL,
    property_value varchar(1000),
    PRIMARY KEY (catalog_name, namespace, property_key)
)

-- name: create_namespace
INSERT INTO {iceberg_namespaces} (catalog_name, namespace, property_key, property_value)
VALUES (%(catalog)s, %(namespace)s, 'exists', 'true') ON CONFLICT DO NOTHING

-- name: find_table
SELECT metadata_location FROM {iceberg_tables}
WHERE catalog_name = %(catalog)s AND table_namespace = %(namespace)s AND table_name = %(table)s

-- name: find_tables
-- Of one moment, with the last committed batch: the versions of a dataset and their closings belong together.
SELECT table_name, metadata_location, (SELECT current_batch FROM {counter} WHERE key = %(key)s) FROM {iceberg_tables}
WHERE catalog_name = %(catalog)s AND table_namespace = %(namespace)s AND table_name = ANY(%(tables)s)

-- name: create_table
INSERT INTO {iceberg_tables} (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
VALUES (%(catalog)s, %(namespace)s, %(table)s, %(location)s, 'TABLE') ON CONFLICT DO NOTHING

-- name: move_table
-- Unless somebody else has moved it: an optimistic commit of Iceberg's, which is done with the batch's own.
UPDATE {iceberg_tables} SET metadata_location = %(location)s, previous_metadata_location = %(before)s
WHERE catalog_name = %(catalog)s AND table_namespace = %(namespace)s AND table_name = %(table)s
    AND metadata_location = %(before)s
