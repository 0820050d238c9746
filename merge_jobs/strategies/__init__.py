"""How a batch finds what has changed: a module for each strategy; selection.py chooses one, and says why."""
