-- Quality checks of a batch. The rows that it brings are kept aside before its delta is applied and its staging goes;
-- they are judged when every dataset of the batch is applied, in the same transaction.

-- name: keep_changed_rows
-- New and changed rows, as much of them as the dataset's checks look at.
CREATE TEMPORARY TABLE {changed_rows} ON COMMIT DROP AS
SELECT {checked_columns} FROM {delta} d JOIN {staging} s ON s.ctid = d.staged

-- name: keep_earlier_values
-- What other datasets may refer to, as it was in rows that have changed or are gone.
CREATE TEMPORARY TABLE {earlier_values} ON COMMIT DROP AS
SELECT {referred_columns} FROM {delta} d JOIN {merge} m ON m.ctid = d.merged

-- name: analyze_kept
-- Without its size the planner takes a nested loop for a table of any size.
ANALYZE {kept}

-- name: open_live
-- Every row of the dataset after the batch.
SELECT {columns} FROM {merge} WHERE true{and_in_source}

-- name: open_forensic
SELECT {columns} FROM {merge} WHERE ds_batch_out = 2147483647{and_in_source}

-- name: count_rows
SELECT count(*) FROM {changed_rows} WHERE {broken}

-- name: keys_of_rows
-- Some of them, for those who may see data.
SELECT {keys} FROM {changed_rows} WHERE {broken} LIMIT {sample}

-- name: before_expression
SAVEPOINT expression

-- name: after_expression
RELEASE SAVEPOINT expression

-- name: back_before_expression
-- A row had a value that one of its functions does not take.
ROLLBACK TO SAVEPOINT expression

-- name: broken_not_null
-- num_nulls tells a row value of NULLs from NULL, IS NULL does not.
num_nulls({columns}) > 0

-- name: broken_range
({column} < {min} OR {column} > {max})

-- name: broken_pattern
{column}::text !~ {pattern}

-- name: broken_accepted_values
{column} NOT IN ({values})

-- name: broken_expression
-- As people have written it, and read before as one that only calculates with the row's own columns.
NOT ({expression})

-- name: unique
-- Rows of which another has the same values, where the batch inserted or updated one of them.
SELECT coalesce(sum(same.number), 0) FROM (
    SELECT count(*) AS number FROM {open} m
    WHERE num_nulls({columns}) = 0 AND ({columns}) IN (SELECT {columns} FROM {changed_rows})
    GROUP BY {columns} HAVING count(*) > 1
) same

-- name: unique_of_all
SELECT coalesce(sum(same.number), 0) FROM (
    SELECT count(*) AS number FROM {open} m WHERE num_nulls({columns}) = 0 GROUP BY {columns} HAVING count(*) > 1
) same

-- name: keys_of_equal_rows
SELECT {keys} FROM {open} m
WHERE num_nulls({columns}) = 0 AND ({columns}) IN (
    SELECT {columns} FROM {open} m WHERE num_nulls({columns}) = 0 GROUP BY {columns} HAVING count(*) > 1
) LIMIT {sample}

-- name: reference
-- Rows that refer to what is not there, of all values that the batch inserted or updated on this side, or took on the other. What
-- is missing is found first: mostly that is nothing, and then the dataset itself is not read.
SELECT count(*) FROM {open} m JOIN (
    SELECT DISTINCT {columns} FROM ({suspects}) s
    WHERE num_nulls({columns}) = 0 AND NOT EXISTS (SELECT FROM {other} o WHERE {suspect_equals_other})
) missing ON {open_equals_missing}

-- name: reference_of_all
SELECT count(*) FROM {open} m
WHERE num_nulls({columns}) = 0 AND NOT EXISTS (SELECT FROM {other} o WHERE {open_equals_other})

-- name: keys_of_referring_rows
SELECT {keys} FROM {open} m
WHERE num_nulls({columns}) = 0 AND NOT EXISTS (SELECT FROM {other} o WHERE {open_equals_other}) LIMIT {sample}

-- name: values_changed
SELECT {columns} FROM {changed_rows}

-- name: values_earlier
SELECT {referred_columns} FROM {earlier_values}

-- name: completeness
-- This and what follows measures a value of the whole dataset, as the batch leaves it.
SELECT count(*) FILTER (WHERE num_nulls({columns}) = 0)::numeric / nullif(count(*), 0) FROM {open} m

-- name: distinctness
SELECT count(*) / nullif(sum(same.number), 0) FROM (
    SELECT count(*) AS number FROM {open} m WHERE num_nulls({columns}) = 0 GROUP BY {columns}
) same

-- name: uniqueness
SELECT count(*) FILTER (WHERE same.number = 1) / nullif(sum(same.number), 0) FROM (
    SELECT count(*) AS number FROM {open} m WHERE num_nulls({columns}) = 0 GROUP BY {columns}
) same

-- name: mean
SELECT avg({column}) FROM {open} m

-- name: min
SELECT min({column}) FROM {open} m

-- name: max
SELECT max({column}) FROM {open} m

-- name: stddev
SELECT stddev_pop({column}) FROM {open} m

-- name: newest
-- In seconds since 1970. `infinity` is no time at which anything was written.
SELECT extract(epoch FROM max({column}) FILTER (WHERE isfinite({column}))) FROM {open} m
