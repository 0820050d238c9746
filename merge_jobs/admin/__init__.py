"""What operators do with a platform's tables between runs: status, reset, repair, archive."""
