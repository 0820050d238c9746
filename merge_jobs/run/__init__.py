"""A run of the merge job: from its options to the result line."""
