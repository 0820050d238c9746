"""What operators do with a platform's tables between runs: status, diff, reset, repair, archive."""
