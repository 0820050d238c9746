"""From rows to plans: read the stream table, or what was last good of it, and evaluate each stream."""
