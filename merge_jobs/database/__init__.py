"""Sessions with PostgreSQL: opened, set up for each transaction, and COPY from one to another."""
