"""A soak: jobs and databases are killed at random while data changes, and at the end every version is judged.

Reading order: soaking.py what goes on, kills.py what goes wrong and aim.py when, history.py what the simulator wrote
down, judge.py what must hold, evidence.py what it is held against.
"""
