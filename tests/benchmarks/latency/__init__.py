"""Seconds from a change in the producer until a consumer sees it, with both platforms and the simulator running.

Reading order: __main__.py what is run, measuring.py what is measured, scheduled.py who runs the merge jobs.
"""
