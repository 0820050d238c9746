"""The factory files that StreamBundle writes.

layout.py: how many, and which stream is where; folder.py: the files on disk; owner.py: the owner of their folder;
watch.py: what has changed; keeper.py: what must be parsed.
"""
