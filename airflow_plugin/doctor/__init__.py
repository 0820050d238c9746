"""Looks at everything the factory needs and says what is wrong with it: examine.py calls the others in order."""
