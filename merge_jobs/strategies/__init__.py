"""How the delta of a batch is found: one module for each strategy; choosing.py chooses between them."""
