"""How a driver's value is written for a column of the merge store: as a text that means exactly it, or not at all.

misfit.py, above sources, says why not; texts.py, numbers.py and times.py write a family of types each; encoders.py
chooses.
"""
