"""The job's own process: how it ends in order, how much memory it may take, and how its log lines look."""
