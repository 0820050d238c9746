"""A platform's control database as Airflow's side sees it: connections, stream table, history, batches."""
