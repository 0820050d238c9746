"""The job's own process: how it shuts down, how much memory it may use, and the format of its log lines."""
