"""What is wrong with streams, for check_streams, doctor, status and pages, by the rules of stream_health."""
