-- part: streams
-- older programs: go on
-- Why somebody changed a stream or asked for something, where they said it.
ALTER TABLE {schema}.{history_table} ADD COLUMN IF NOT EXISTS reason text
