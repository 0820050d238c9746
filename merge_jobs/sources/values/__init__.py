"""How a driver's value is written for a column of the merge store: as a text with exactly its meaning, or not at all.

misfit.py, above sources, says why not; texts.py, numbers.py and times.py write a family of types each; encoders.py
chooses.
"""
