"""What is wrong with a platform's streams: freshness.py (pure) and streams.py, for check_streams, doctor and status."""
