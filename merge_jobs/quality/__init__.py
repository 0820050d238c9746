"""The quality checks of a batch."""
