"""Static DAG files -> rows: read (never run), compared, tried beside, and cut over to (docs/migration.md)."""
