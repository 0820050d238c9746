"""A producer on another database than PostgreSQL, read through its SQLAlchemy dialect."""
