"""The DAG that a row would become, without a database or a running Airflow: candidates.py -> shown.py."""
