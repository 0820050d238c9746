"""Consumers' views, kept equal to the model.

Read in this order: desired.py (which views the model asks for, pure), definitions.py (their SQL), catalog.py (what
stands in the database), planning.py (pure: from one to the other; rights.py for rights alone), reconcile.py (a
workspace at a time, in a transaction).
"""
