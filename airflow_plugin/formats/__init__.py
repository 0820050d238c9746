"""The model in files of other tools, and from them: data contracts (odcs/), uis.py, airbyte.py.

parts.py reads a document and reports what of it nobody has read; draft.py makes a datastore of what was read.
"""
