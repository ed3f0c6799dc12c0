"""A bucket is nearly as fast as the HTTP library it is built on, measured in the same run."""

from __future__ import annotations

import asyncio

import pytest
from bench import awaiting, blocking

from openclaw_rating.testing import ClawdProcess

LEAST = 0.8


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_throughput(clawd: ClawdProcess, kind: str) -> None:
    ratios: list[float] = []
    while len(ratios) < 3:  # a busy machine may spoil a run, not three
        result = blocking(clawd.url, 25, 41) if kind == "sync" else asyncio.run(awaiting(clawd.url, 25, 41))
        print(result)
        if result.ratio >= LEAST:
            return
        ratios.append(result.ratio)
    pytest.fail(f"less than {LEAST} of the bare loop: {ratios}")
