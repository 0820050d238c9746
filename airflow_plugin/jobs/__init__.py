"""What a job is: its arguments, secrets by reference, and what people may ask of it. Pure."""
