"""Consumers' views, kept in line with the model.

Read in this order: desired.py (the views that the model asks for, pure), definitions.py (their SQL), catalog.py (what
exists in the database), planning.py (pure: from one to the other; rights.py for rights alone), reconcile.py (a
workspace at a time, in a transaction).
"""
