"""What operators do with a platform's tables between runs: look, reset, repair, archive."""
