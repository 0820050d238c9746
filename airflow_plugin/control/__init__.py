"""A platform's control database for Airflow's side: connections, stream table, history, batches."""
