"""What runs in the container: copies a producer's tables, merges them, and says what it did. Never imports airflow."""
