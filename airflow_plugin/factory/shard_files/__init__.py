"""The factory files that StreamBundle writes.

layout.py: how many and which; folder.py: on disk; owner.py: whose it is;
watch.py: what has changed; keeper.py: what is to be parsed.
"""
