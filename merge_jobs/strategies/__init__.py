"""How a batch finds what changed: a module for each strategy; selection.py says which one is taken, and why."""
