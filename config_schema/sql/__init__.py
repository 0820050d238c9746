"""SQL as text: named statements, the comments of tables, and what PostgreSQL's errors mean. Knows no driver."""
