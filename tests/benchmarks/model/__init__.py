"""What a model of many streams costs: reading and syncing it, a job's start, and the commands that people type.

Reading order: world.py what there is, measuring.py what is run, model_report.py what is shown.
"""
