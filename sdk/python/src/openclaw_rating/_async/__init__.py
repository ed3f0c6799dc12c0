"""The client and the bucket as they are written; `_sync` is made from here by `scripts/unasync.py`."""
