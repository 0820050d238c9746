"""From rows to DAGs, and the tools around it. Imports nothing, so that a DAG file pays for what it uses only."""
