"""A platform's rows in Iceberg tables: files, catalogue, views. What has changed PostgreSQL tells, as elsewhere."""
