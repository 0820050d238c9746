"""The tasks of an ingestion DAG. Imports nothing, so that a DAG file pays for what it uses only."""
