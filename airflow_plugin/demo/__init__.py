"""The demo: a real PostgreSQL, a real Airflow, real changing data, and counts checked against the truth."""
