"""The model in files of other tools, and from them: data contracts (odcs/), ingestion specifications, connections.

parts.py reads a document and reports what of it nobody has read; draft.py makes a datastore of what was read.
"""
