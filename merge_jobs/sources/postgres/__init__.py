"""A producer on PostgreSQL."""
