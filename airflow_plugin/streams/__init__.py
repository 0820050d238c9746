"""Streams by hand: rows read, changed and moved, each change checked first and kept in history."""
