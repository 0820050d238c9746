"""SQL as text: named statements, comments of tables, and the meaning of PostgreSQL's errors. Knows no driver."""
