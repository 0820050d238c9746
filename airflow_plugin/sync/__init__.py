"""The model in git -> the rows of the stream tables.

Read in this order: `source.py` gets the model and its commit, `graph.py` says which streams it wants, `diff.py` what
that changes, `plan.py` reads the tables for it, `job_models.py` compiles what jobs
read, `apply.py` locks and writes. `stores.py` connects.
"""
