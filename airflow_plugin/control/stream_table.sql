-- The stream table of a platform and its history. Names of tables are put in by the session.

-- name: select_rows
SELECT stream_key, config_json, status, created_at, updated_at
FROM {stream_table}
WHERE (%(retired)s OR status <> 'retired')
  AND (%(stream_keys)s::text[] IS NULL OR stream_key = ANY (%(stream_keys)s::text[]))
ORDER BY stream_key COLLATE "C"

-- name: select_gone
-- The history's keys by its index, as there may be years of changes; then the last word on those that have no row.
WITH RECURSIVE keys (stream_key) AS (
    (SELECT stream_key FROM {history_table} ORDER BY stream_key LIMIT 1)
    UNION ALL
    SELECT (SELECT h.stream_key FROM {history_table} h WHERE h.stream_key > k.stream_key ORDER BY h.stream_key LIMIT 1)
    FROM keys k WHERE k.stream_key IS NOT NULL
)
SELECT k.stream_key FROM keys k
WHERE NOT EXISTS (SELECT FROM {stream_table} s WHERE s.stream_key = k.stream_key)
  AND (SELECT h.after_status FROM {history_table} h WHERE h.stream_key = k.stream_key ORDER BY h.id DESC LIMIT 1)
      <> 'retired'
ORDER BY k.stream_key COLLATE "C"

-- name: select_config_limit
-- Tables made elsewhere have config_json varchar(2048); NULL: no limit. atttypmod counts 4 bytes of its own.
SELECT CASE WHEN atttypid = 'varchar'::regtype AND atttypmod > 4 THEN atttypmod - 4 END
FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attname = 'config_json'

-- name: widen_config
-- From varchar(n) to text no row is rewritten.
ALTER TABLE {stream_table} ALTER COLUMN config_json TYPE text

-- name: set_lock_timeout
SELECT set_config('lock_timeout', %(milliseconds)s, true)

-- name: try_sync_lock
SELECT pg_try_advisory_xact_lock(hashtextextended('dagfactory sync ' || %(table)s, 0))

-- name: take_sync_lock
-- Held until the transaction ends; it also covers the creation of the tables.
SELECT pg_advisory_xact_lock(hashtextextended('dagfactory sync ' || %(table)s, 0))

-- name: lock_stream_table
-- Readers, and so the factory, go on.
LOCK TABLE {stream_table} IN SHARE ROW EXCLUSIVE MODE

-- name: write_row
-- The row and its history in one statement; the history's before is what the table really held. The insert reads
-- `before` so that the old row is locked and read first: FOR UPDATE skips a row that its own statement has changed.
WITH before AS (
    SELECT stream_key, config_json, status FROM {stream_table} WHERE stream_key = %(stream_key)s FOR UPDATE
), after AS (
    INSERT INTO {stream_table} AS stream (stream_key, config_json, status, created_at, updated_at)
    SELECT %(stream_key)s, %(config_json)s, %(status)s, statement_timestamp(), statement_timestamp()
    FROM (SELECT count(*) FROM before) AS locked
    ON CONFLICT (stream_key) DO UPDATE
    SET config_json = excluded.config_json, status = excluded.status, updated_at = excluded.updated_at
    RETURNING stream.stream_key, stream.config_json, stream.status, stream.updated_at
)
INSERT INTO {history_table} (
    stream_key, change, changed_by, changed_at, model_commit,
    before_config_json, before_status, after_config_json, after_status {reason_column}
)
SELECT after.stream_key, %(change)s, %(changed_by)s, statement_timestamp(), %(model_commit)s,
       before.config_json, before.status, after.config_json, after.status {reason}
FROM after LEFT JOIN before USING (stream_key)

-- name: adopt_row
-- The model has come to say what was set by hand: the row is as the model has it, and is not touched.
INSERT INTO {history_table} (
    stream_key, change, changed_by, changed_at, model_commit,
    before_config_json, before_status, after_config_json, after_status
)
SELECT stream_key, 'adopt', %(changed_by)s, statement_timestamp(), %(model_commit)s,
       config_json, status, config_json, status
FROM {stream_table} WHERE stream_key = %(stream_key)s

-- name: note_found
-- Rows that somebody has changed past the tools: who finds it says so, once.
INSERT INTO {history_table} (
    stream_key, change, changed_by, changed_at, model_commit,
    before_config_json, before_status, after_config_json, after_status
)
SELECT stream.stream_key, 'found', %(changed_by)s, statement_timestamp(), NULL,
       newest.after_config_json, newest.after_status, stream.config_json, stream.status
FROM {stream_table} AS stream
JOIN LATERAL (
    SELECT after_config_json, after_status FROM {history_table} AS h
    WHERE h.stream_key = stream.stream_key ORDER BY h.id DESC LIMIT 1
) AS newest ON true
WHERE stream.stream_key = ANY (%(stream_keys)s::text[])
    AND (newest.after_config_json, newest.after_status::text)
        IS DISTINCT FROM (stream.config_json::text, stream.status::text)

-- name: note_action
-- Something was asked for that is no change of the row.
INSERT INTO {history_table} (
    stream_key, change, changed_by, changed_at, model_commit,
    before_config_json, before_status, after_config_json, after_status {reason_column}
)
SELECT stream_key, %(action)s, %(changed_by)s, statement_timestamp(), NULL, config_json, status, config_json, status {reason}
FROM {stream_table} WHERE stream_key = %(stream_key)s

-- name: purge_row
WITH gone AS (
    DELETE FROM {stream_table} WHERE stream_key = %(stream_key)s AND status = 'retired'
    RETURNING stream_key, config_json, status
)
INSERT INTO {history_table} (
    stream_key, change, changed_by, changed_at, model_commit,
    before_config_json, before_status, after_config_json, after_status {reason_column}
)
SELECT stream_key, 'purge', %(changed_by)s, statement_timestamp(), NULL, config_json, status, config_json, status {reason}
FROM gone

-- name: select_by_hand
-- Rows that are not as the last sync left them, who changed them and when: NULL where that was not written down.
-- Pausing counts as no change; a row without history is one that the first sync takes over. What was only asked for, a
-- run or a reset, stands in the history too, and is no change either.
-- A change past the tools was found when a sync wrote it down, or is now.
-- Each stream's last changes by the index: a history holds up to 2,000 of each.
SELECT stream.stream_key,
       CASE WHEN last.is_known AND newest.change <> 'found' THEN newest.changed_by END,
       CASE WHEN last.is_known AND newest.change <> 'found' THEN newest.changed_at END,
       CASE WHEN last.is_known AND newest.change = 'found' THEN newest.changed_at ELSE statement_timestamp() END,
       last.is_known
FROM {stream_table} AS stream
JOIN LATERAL (
    SELECT change, changed_by, changed_at, after_config_json, after_status
    FROM {history_table} AS h
    WHERE h.stream_key = stream.stream_key AND (
        model_commit IS NOT NULL
        OR (before_config_json, before_status) IS DISTINCT FROM (after_config_json, after_status)
    )
    ORDER BY h.id DESC LIMIT 1
) AS newest ON true
CROSS JOIN LATERAL (
    SELECT (newest.after_config_json, newest.after_status::text) = (stream.config_json::text, stream.status::text)
) AS last (is_known)
LEFT JOIN LATERAL (
    SELECT after_config_json AS config_json, after_status AS status
    FROM {history_table} AS h
    WHERE h.stream_key = stream.stream_key AND model_commit IS NOT NULL
    ORDER BY h.id DESC LIMIT 1
) AS synced ON true
WHERE synced.config_json IS NULL
   OR synced.config_json <> stream.config_json::text
   OR (synced.status = 'retired') <> (stream.status = 'retired')

-- name: select_history
-- The newest first, of `limit` changes before the change `before`, or of those `only`. Where they are more than so many
-- bytes the oldest are left out; the first is always there. `reason` is the history's column, or where a table of an
-- older program has none the one of `missing`.
SELECT id, stream_key, change, changed_by, changed_at, model_commit,
       before_config_json, before_status, after_config_json, after_status, reason_given
FROM (VALUES (NULL::text)) AS missing (reason) CROSS JOIN LATERAL (
    SELECT *, sum(octet_length(after_config_json) + coalesce(octet_length(before_config_json), 0)) OVER newest AS size,
           row_number() OVER newest AS number
    FROM (
        SELECT *, reason AS reason_given FROM {history_table}
        WHERE stream_key = %(stream_key)s AND id < coalesce(%(before)s::bigint, 9223372036854775807)
          AND (%(only)s::bigint[] IS NULL OR id = ANY (%(only)s::bigint[]))
        ORDER BY id DESC
        LIMIT %(limit)s
    ) page
    WINDOW newest AS (ORDER BY id DESC)
) sized
WHERE number = 1 OR size <= coalesce(%(bytes)s::bigint, 9223372036854775807)
ORDER BY id DESC

-- name: has_reasons
SELECT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attname = 'reason' AND NOT attisdropped
)

-- name: has_older_history
SELECT EXISTS (SELECT FROM {history_table} WHERE stream_key = %(stream_key)s AND id < %(before)s)

-- name: recent_changes
-- By hand: how many there were of each stream in the last ten minutes, and how many bytes of text in the last day.
SELECT stream_key, count(*) FILTER (WHERE age < interval '10 minutes'), coalesce(sum(size), 0)::bigint
FROM (
    SELECT stream_key, statement_timestamp() - changed_at AS age,
           octet_length(after_config_json) + coalesce(octet_length(before_config_json), 0) AS size
    FROM {history_table}
    WHERE stream_key = ANY (%(stream_keys)s) AND model_commit IS NULL
) changes
WHERE age < interval '1 day'
GROUP BY 1

-- name: may_prune_history
SELECT has_table_privilege(%(table)s, 'DELETE')

-- name: prune_history
-- Of streams with more changes, or more bytes of text, than are kept: the oldest go. The newest stays in any case, and so
-- does the last that a sync wrote, by which changes by hand are found.
WITH large AS (
    SELECT stream_key FROM {history_table} GROUP BY stream_key
    HAVING count(*) > %(changes)s
        OR sum(octet_length(after_config_json) + coalesce(octet_length(before_config_json), 0)) > %(bytes)s
), sized AS (
    SELECT id, max(id) FILTER (WHERE model_commit IS NOT NULL) OVER (PARTITION BY stream_key) AS synced,
           row_number() OVER newest AS number,
           sum(octet_length(after_config_json) + coalesce(octet_length(before_config_json), 0)) OVER newest AS size
    FROM {history_table} WHERE stream_key IN (SELECT stream_key FROM large)
    WINDOW newest AS (PARTITION BY stream_key ORDER BY id DESC)
)
DELETE FROM {history_table} h USING sized
WHERE h.id = sized.id AND number > 1 AND h.id IS DISTINCT FROM synced AND (number > %(changes)s OR size > %(bytes)s)
