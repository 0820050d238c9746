"""What runs in the container: copies a producer's tables, merges them, reports the result. Never imports airflow."""
