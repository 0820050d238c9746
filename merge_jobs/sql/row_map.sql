-- Row maps: what the merge store knows of the source's rows, so that the next batch need not read those that are the
-- same. One table a dataset, made and changed with the merge table in one transaction, and a line on each of them.

-- name: find
-- And whether the map itself stands, and is the login's own: it may have been dropped, archived, or left out of a dump.
SELECT kind, guard, batch_id, full_at, distrusted, EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = coalesce(guard -> 'map' ->> 'table', %(usual)s)
        AND pg_has_role(c.relowner, 'USAGE')
)
FROM {row_maps} WHERE key = %(key)s AND dataset = %(dataset)s

-- name: save
-- A look that found nothing new need not come here: a guard that is older holds no less.
INSERT INTO {row_maps} AS line (key, dataset, kind, guard, batch_id, full_at)
VALUES (%(key)s, %(dataset)s, %(kind)s, %(guard)s, %(batch_id)s, CASE WHEN %(full)s THEN clock_timestamp() END)
ON CONFLICT (key, dataset) DO UPDATE SET
    kind = excluded.kind, batch_id = excluded.batch_id,
    -- Where a change feed is, is said of the whole stream.
    guard = CASE WHEN jsonb_typeof(excluded.guard) = 'object' AND jsonb_typeof(line.guard -> 'feed') = 'object'
        THEN excluded.guard || jsonb_build_object('feed', line.guard -> 'feed') ELSE excluded.guard END,
    full_at = coalesce(excluded.full_at, line.full_at)

-- name: forget
-- The map is not to be used; when the last full batch was, and what is said of strategies, stays.
UPDATE {row_maps} SET kind = NULL, guard = CASE WHEN jsonb_typeof(guard) = 'object' THEN guard - 'map' - 'behind' - 'cursor' END
WHERE key = %(key)s AND dataset = %(dataset)s

-- name: distrust
UPDATE {row_maps} SET distrusted = %(reason)s WHERE key = %(key)s AND dataset = %(dataset)s

-- name: comment_map
COMMENT ON TABLE {map} IS {comment}

-- name: comment_staged_map
COMMENT ON TABLE {staged_map} IS {comment}

-- name: count_staged
SELECT count(*) FROM {staged_map}

-- name: something_staged
SELECT EXISTS (SELECT FROM {staged_map})

-- name: analyze_gone
ANALYZE {gone}

-- name: drop_all_keys
DROP TABLE ds_all_keys

-- name: drop_gone
DROP TABLE {gone}

-- name: create_empty_delta
CREATE TEMPORARY TABLE {delta} (staged tid, merged tid) ON COMMIT DROP
