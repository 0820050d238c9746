"""Changes of streams by hand: rows are read, changed and moved; each change is checked first and recorded."""
