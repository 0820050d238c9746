-- A merge table that is brought to a changed model.

-- name: alter_merge_table
-- All in one statement: where types must be rewritten, the table is rewritten once.
ALTER TABLE {merge} {alterations}
