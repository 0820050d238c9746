"""Descriptions of jobs: arguments, secrets by reference, and what people may request. Pure."""
