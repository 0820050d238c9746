"""The health, infrastructure and operations DAGs of a platform, and their tasks."""
