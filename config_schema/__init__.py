"""What both sides share: the model, a stream's config, names and the result line. Pure, and light to import."""
