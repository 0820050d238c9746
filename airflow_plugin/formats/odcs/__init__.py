"""Data contracts of the Open Data Contract Standard (ODCS): a contract for each datastore.

words.py says which word of the standard stands for which of the model; export.py writes contracts, read.py reads one,
and whole.py all contracts of a model, with the file that holds what no contract says.
"""
