"""A merge store on PostgreSQL: its batches, tables and row maps, and how a delta is applied."""
