-- Keys that were erased for good, and what keeps them away. A key is known by its digest: of the hashes that its types have
-- for equal values, with a salt that only the owner of the tables reads. First what a batch runs, then `merge-job erase`.

-- name: by_dataset
-- How many keys of each dataset are erased, and by which columns and kinds of types their digests were made.
SELECT dataset, key_form, count(*), EXISTS (SELECT FROM {salt}) FROM {erased} WHERE datastore = %(datastore)s GROUP BY 1, 2

-- name: keep_away
-- From a table that has just been filled from the source.
DELETE FROM {loaded} WHERE {digest} IN (
    SELECT e.digest FROM {erased} e WHERE e.datastore = %(datastore)s AND e.dataset = %(dataset)s
)

-- name: keep_away_from_map
-- Row versions of erased keys leave the arrays of their block. The block's digest stays: until it changes in the source
-- these rows are not read again.
UPDATE {map} b SET (tids, xids, {map_keys}) = (
    SELECT array_agg(v.{tid_column} ORDER BY v.{number_column}), array_agg(v.{xid_column} ORDER BY v.{number_column}), {arrays_of_keys}
    FROM unnest(b.tids, b.xids, {block_keys}) WITH ORDINALITY v ({tid_column}, {xid_column}, {key}, {number_column})
    WHERE {digest} NOT IN (
        SELECT e.digest FROM {erased} e WHERE e.datastore = %(datastore)s AND e.dataset = %(dataset)s
    )
) WHERE EXISTS (
    SELECT FROM unnest({block_keys}) v ({key})
    WHERE {digest} IN (SELECT e.digest FROM {erased} e WHERE e.datastore = %(datastore)s AND e.dataset = %(dataset)s)
)

-- name: count_kept_away
-- By how many the row versions that a map leaves out become more with what is staged for it.
SELECT (SELECT coalesce(sum(versions - coalesce(cardinality(tids), 0)), 0) FROM {staged_map})
    - (SELECT coalesce(sum(m.versions - coalesce(cardinality(m.tids), 0)), 0) FROM {map} m JOIN {staged_map} s USING (leaf, block))

-- name: create_keys
-- The keys that are to be erased come by COPY, so that no statement has them.
CREATE TEMPORARY TABLE ds_erased ({key_columns}) ON COMMIT DROP

-- name: copy_keys
COPY ds_erased ({key}) FROM STDIN (FORMAT csv, NULL '')

-- name: count_keys
SELECT count(DISTINCT {digest}) FROM ds_erased

-- name: salt_is_lost
-- Another one would let in what is erased.
SELECT (SELECT count(*) FROM {erased}) FROM (SELECT 1) one WHERE NOT EXISTS (SELECT FROM {salt})

-- name: make_salt
-- Once for the platform: 244 random bits of the server's.
INSERT INTO {salt} (id, salt) VALUES (1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
ON CONFLICT (id) DO NOTHING

-- name: add
INSERT INTO {erased} (datastore, dataset, digest, key_form, erased_at, erased_by)
SELECT DISTINCT %(datastore)s, %(dataset)s, {digest}, %(key_form)s, statement_timestamp(), %(by)s FROM ds_erased
ON CONFLICT (datastore, dataset, digest) DO NOTHING

-- name: lift
DELETE FROM {erased} e WHERE e.datastore = %(datastore)s AND e.dataset = %(dataset)s
    AND (%(all)s OR e.digest IN (SELECT {digest} FROM ds_erased))

-- name: older_programs
-- Jobs that know nothing of erased keys would bring them back: they may run while there are none.
UPDATE {versions} SET older_may_run = NOT EXISTS (SELECT FROM {erased}) WHERE number = %(number)s

-- name: erase_rows
-- Of a merge table every version, of a staging table what has been read.
DELETE FROM {table} m USING ds_erased s WHERE {key_equal}

-- name: change_guard
-- The map has so many rows less, and is as valid as before; one of an older job, which did not count them, is not used,
-- nor one that is behind, whose rows are not the merge table's.
UPDATE {row_maps} SET kind = CASE WHEN guard ? 'rows' THEN kind END,
    guard = CASE WHEN guard ? 'behind' THEN guard - 'map' - 'behind' WHEN guard ? 'rows' THEN guard || jsonb_build_object(
        'rows', (guard ->> 'rows')::bigint - %(rows)s,
        'kept_away', coalesce((guard ->> 'kept_away')::bigint, 0) + %(kept_away)s
    ) ELSE guard - 'map' END
WHERE key = %(key)s AND dataset = %(dataset)s AND coalesce(guard -> 'map' ->> 'table', %(usual)s) = %(table)s

-- name: versions_left_out
SELECT coalesce(sum(versions - coalesce(cardinality(tids), 0)), 0) FROM {map}

-- name: read_left_out
-- The blocks whose versions are not all in the map count as changed, so that the next batch reads those.
UPDATE {map} SET digest = NULL WHERE versions > coalesce(cardinality(tids), 0)

-- name: begin_again
-- What an ingested batch counts is not so any more: it begins again.
UPDATE {metrics} SET batch_status = 'started' WHERE key = %(key)s AND batch_status = 'ingested'

-- name: forget_texts
-- What a producer's server said of rows that it refused may name the key.
UPDATE {metrics} SET state = state - 'said' WHERE key = %(key)s AND state ? 'said';
-- So may values that the pages were to show.
UPDATE {metrics} SET state = state - 'values' WHERE key = %(key)s AND state ? 'values';
-- So may the changes that batches of a live table have kept of the dataset: the numbers stay.
UPDATE {metrics} SET state = jsonb_set(state, ARRAY['changes', %(dataset)s, 'keys'], '[]')
WHERE key = %(key)s AND state #> ARRAY['changes', %(dataset)s] IS NOT NULL;
-- And how far a batch that did not end has read by a cursor.
UPDATE {metrics} SET state = state #- ARRAY['datasets', %(dataset)s, 'guard', 'cursor']
WHERE key = %(key)s AND state #> ARRAY['datasets', %(dataset)s, 'guard', 'cursor'] IS NOT NULL;
-- And what quality checks have seen. A value that they have measured does not hold for fewer rows.
UPDATE {metrics} SET state = state #- ARRAY['quality_data', %(dataset)s]
WHERE key = %(key)s AND state #> ARRAY['quality_data', %(dataset)s] IS NOT NULL;
UPDATE {counter} SET last_result_json = last_result_json #- ARRAY['measured', %(dataset)s]
WHERE key = %(key)s AND last_result_json #> ARRAY['measured', %(dataset)s] IS NOT NULL

-- name: forget_rejected
DELETE FROM {rejected} r USING ds_erased s
WHERE r.key = %(stream)s AND r.dataset = %(dataset)s AND r.rejected_key = jsonb_build_object({key_of_erased})
