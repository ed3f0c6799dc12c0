"""Fixtures for pytest: `pytest_plugins = ["openclaw_rating.testing.plugin"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .._sync.client import OpenClawClient
from ._process import ClawdProcess
from ._upstream import FakeUpstream


@pytest.fixture(scope="session")
def clawd() -> Iterator[ClawdProcess]:
    """A running node, the same for all tests: use keys of your own in each."""
    with ClawdProcess() as node:
        yield node


@pytest.fixture
def openclaw_client(clawd: ClawdProcess) -> Iterator[OpenClawClient]:
    """A client of the node."""
    with OpenClawClient(base_url=clawd.url) as client:
        yield client


@pytest.fixture
def fake_upstream() -> Iterator[FakeUpstream]:
    """A double of a model interface."""
    with FakeUpstream() as upstream:
        yield upstream
