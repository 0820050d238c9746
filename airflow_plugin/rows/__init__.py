"""From rows to plans: reads the stream table, or its last good state, and evaluates each stream."""
