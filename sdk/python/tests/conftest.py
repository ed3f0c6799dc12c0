"""What all tests share: the binary that was built, a node of it, and the doubles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from openclaw_rating import OpenClawClient, TokenBucket
from openclaw_rating.testing import ClawdProcess, FakeUpstream
from waiting import PATIENT

# How long an example takes says something of the machine, not of the code.
hypothesis_settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("unhurried")

pytest_plugins = ["openclaw_rating.testing.plugin"]

ROOT = Path(__file__).resolve().parents[3]
os.environ.setdefault("OPENCLAW_CLAWD_BIN", str(ROOT / "bin" / "clawd"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on what whoever runs it has set."""
    for name in list(os.environ):
        if name == "OPENCLAW_CLAWD_BIN":
            continue
        if name.startswith(("OPENCLAW_", "OPENAI_", "ANTHROPIC_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


_keys = iter(range(1_000_000))


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"agent:{next(_keys)}-{os.getpid()}:tokens"


@pytest.fixture
def client(clawd: ClawdProcess) -> Iterator[OpenClawClient]:
    with OpenClawClient(base_url=clawd.url, timeout=PATIENT) as client:
        yield client


@pytest.fixture
def bucket(client: OpenClawClient) -> TokenBucket:
    return TokenBucket(client=client, capacity=100, refill_rate=100, interval_seconds=3600)


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as double:
        yield double
