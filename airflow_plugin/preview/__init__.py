"""The DAG that a row would give, without a database or an Airflow at work: candidates.py -> shown.py."""
