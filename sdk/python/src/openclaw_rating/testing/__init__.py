"""For tests of your own: a real clawd process, and a model interface that is not one.

# conftest.py
pytest_plugins = ["openclaw_rating.testing.plugin"]

def test_agent(openclaw_client):
    ...
"""

from ._process import ClawdError, ClawdProcess
from ._upstream import FakeUpstream, Reply, Request

__all__ = ["ClawdError", "ClawdProcess", "FakeUpstream", "Reply", "Request"]
