"""From static DAG files to rows: read (never run), compare, try, cut over (docs/migration.md)."""
