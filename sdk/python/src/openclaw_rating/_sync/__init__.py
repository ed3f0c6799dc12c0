# Made by scripts/unasync.py from _async/__init__.py: change that one.
"""The client and the bucket as they are written; written by `scripts/unasync.py`."""
