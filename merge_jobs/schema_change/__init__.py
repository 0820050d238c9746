"""What a changed model does to merge tables, and whether consumers' views must follow."""
