-- How a transaction of ours begins, at a producer's, at the merge store and at the consumers' database: what a batch
-- relies on is set in the transaction itself, and ends with it. Behind a pooler a setting of the session may stay with
-- a server process that goes to somebody else, and we may get a process that somebody else has set up.

-- name: begin
BEGIN ISOLATION LEVEL READ COMMITTED {access} NOT DEFERRABLE

-- name: begin_snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE

-- name: settings
-- The role first, as others may be set by what it may do. SET takes no snapshot: a source's tables are locked before.
-- First what a value is read or written by, then what rows are seen, then what could end the transaction; and that no
-- function says anything beside its rows: libpq keeps all notices until the statement ends.
SET LOCAL role TO DEFAULT;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL "TimeZone" = 'UTC';
SET LOCAL timezone_abbreviations = 'Default';
SET LOCAL "DateStyle" = 'ISO, YMD';
SET LOCAL "IntervalStyle" = 'postgres';
SET LOCAL extra_float_digits = '3';
SET LOCAL bytea_output = 'hex';
SET LOCAL array_nulls = 'on';
SET LOCAL xmloption = 'content';
SET LOCAL xmlbinary = 'base64';
SET LOCAL lc_monetary = 'C';
SET LOCAL lc_numeric = 'C';
SET LOCAL lc_time = 'C';
SET LOCAL standard_conforming_strings = 'on';
SET LOCAL quote_all_identifiers = 'off';
SET LOCAL transform_null_equals = 'off';
SET LOCAL default_table_access_method = 'heap';
SET LOCAL row_security = 'off';
SET LOCAL gin_fuzzy_search_limit = '0';
SET LOCAL jit = 'off';
SET LOCAL exit_on_error = 'off';
SET LOCAL statement_timeout = '0';
SET LOCAL idle_in_transaction_session_timeout = '0';
SET LOCAL client_min_messages = 'error';
SET LOCAL lock_timeout = {lock_timeout}

-- name: settings_of_17
SET LOCAL transaction_timeout = '0'

-- name: settings_of_newer_minors
SET LOCAL restrict_nonsystem_relation_kind = ''

-- name: producers_own
-- What functions in a producer's views may rely on: as its role and database have it, not as somebody else left it.
SET LOCAL default_text_search_config TO DEFAULT

-- name: names_of_postgresql
-- No function, operator, type or table in another schema is ever taken for one of PostgreSQL's and run with our rights.
SET LOCAL search_path = pg_catalog, pg_temp

-- name: names_of_role
-- For a statement that runs code of a producer's, which finds what it finds for others. It must qualify all of its own
-- names, operators too: any schema may stand before pg_catalog.
SET LOCAL search_path TO DEFAULT

-- name: names_seen_by_role
-- For a statement about types: PostgreSQL's as ever, others as the role may name them. It must qualify its functions
-- that take more than one type, as one for just the type that it is given is preferred wherever that stands.
SET LOCAL search_path TO DEFAULT;
SELECT pg_catalog.set_config('search_path', pg_catalog.rtrim(pg_catalog.concat(
    'pg_catalog, '::pg_catalog.text, pg_catalog.current_setting('search_path')), ', '), true)

-- name: verify
-- One row: the settings that are not what they have to be, the server process, when the transaction began, and this
-- statement. The last two settings only a superuser may set: damaged rows are then missing without an error.
SELECT jsonb_agg(jsonb_build_array(name, current_setting(name)) ORDER BY name)
        FILTER (WHERE current_setting(name) IS DISTINCT FROM value),
    pg_backend_pid(), transaction_timestamp(), statement_timestamp()
FROM (VALUES ('client_encoding', 'UTF8'), ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'),
    ('IntervalStyle', 'postgres'), ('extra_float_digits', '3'), ('bytea_output', 'hex'), ('array_nulls', 'on'),
    ('xmloption', 'content'), ('xmlbinary', 'base64'), ('lc_monetary', 'C'), ('lc_numeric', 'C'), ('lc_time', 'C'),
    ('timezone_abbreviations', 'Default'), ('standard_conforming_strings', 'on'), ('quote_all_identifiers', 'off'),
    ('transform_null_equals', 'off'), ('default_table_access_method', 'heap'), ('row_security', 'off'),
    ('gin_fuzzy_search_limit', '0'), ('jit', 'off'), ('exit_on_error', 'off'), ('statement_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'), ('zero_damaged_pages', 'off'), ('ignore_checksum_failure', 'off')
) AS wanted (name, value)

-- name: durable
-- A batch that was reported must not be lost in a crash of the server; a stricter choice than `on` stays.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'

-- name: watch
-- Of the session, where it has a server process of its own: a job that died must not hold its stream's lock for long,
-- and one that waits between two looks must not be ended. No row behind a pooler, where all stays as it is.
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT count(set_config(name, value, false)) FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value)
WHERE pg_backend_pid() = %(pid)s

-- name: probe_begins
-- Of a second session, to find out whether a pooler gives it the server process of the first.
BEGIN; SELECT pg_backend_pid()

-- name: probe_ends
ROLLBACK
