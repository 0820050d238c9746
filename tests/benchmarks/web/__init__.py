"""How long the API takes for what the pages ask, with many streams, batches and runs."""
