"""How fast a bucket is beside the same loop written directly on the HTTP library.

    scripts/bench.py [--url http://127.0.0.1:8080] [--calls 25] [--rounds 161]

Both loops ask a node for one token with the same body on a connection that is kept, one after the other, in short
turns of `--calls`, so that whatever else the machine does falls on both. Printed is the rate of each, the median over
the rounds of their ratio, and the same ratio of the processor time that this process took, which a busy machine
changes less. Without `--url` a node is started.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2

from openclaw_rating import AsyncOpenClawClient, AsyncTokenBucket, OpenClawClient, TokenBucket
from openclaw_rating.testing import ClawdProcess

CAPACITY = 1_000_000_000
BODY = {"tokens": 1, "policy": {"capacity": CAPACITY, "refill_rate": CAPACITY, "interval_seconds": 3600}}


@dataclass
class Result:
    """Calls per second of both loops, and the ratio of ours to the bare one, by the clock and by processor time."""

    name: str
    bare: float
    sdk: float
    ratio: float
    cpu: float

    def __str__(self) -> str:
        rates = f"bare {self.bare:7.0f}/s   sdk {self.sdk:7.0f}/s"
        return f"{self.name:6}  {rates}   ratio {self.ratio:.2f}   by processor time {self.cpu:.2f}"


@dataclass
class Turn:
    """How long one turn of a loop took."""

    wall: float
    cpu: float


def _result(name: str, pairs: list[tuple[Turn, Turn]], calls: int) -> Result:
    return Result(
        name,
        calls / statistics.median(bare.wall for bare, _ in pairs),
        calls / statistics.median(sdk.wall for _, sdk in pairs),
        statistics.median(bare.wall / sdk.wall for bare, sdk in pairs),
        statistics.median(bare.cpu / sdk.cpu for bare, sdk in pairs),
    )


def blocking(url: str, calls: int, rounds: int) -> Result:
    """Both loops, blocking."""
    target = f"{url}/v1/agents/bench:bare/consume"
    with httpx2.Client() as http, OpenClawClient(base_url=url) as client:
        bucket = TokenBucket(client=client, capacity=CAPACITY, refill_rate=CAPACITY, interval_seconds=3600)

        def bare() -> None:
            for _ in range(calls):
                assert http.post(target, json=BODY).json()["allowed"]

        def sdk() -> None:
            for _ in range(calls):
                assert bucket.consume("bench:sdk")

        pairs = []
        for turn in range(rounds):
            first, second = (bare, sdk) if turn % 2 else (sdk, bare)
            times = {first: _time(first), second: _time(second)}
            pairs.append((times[bare], times[sdk]))
    return _result("sync", pairs, calls)


async def awaiting(url: str, calls: int, rounds: int) -> Result:
    """Both loops, awaiting."""
    target = f"{url}/v1/agents/bench:bare/consume"
    async with httpx2.AsyncClient() as http, AsyncOpenClawClient(base_url=url) as client:
        bucket = AsyncTokenBucket(client=client, capacity=CAPACITY, refill_rate=CAPACITY, interval_seconds=3600)

        async def bare() -> None:
            for _ in range(calls):
                assert (await http.post(target, json=BODY)).json()["allowed"]

        async def sdk() -> None:
            for _ in range(calls):
                assert await bucket.consume("bench:sdk")

        pairs = []
        for turn in range(rounds):
            first, second = (bare, sdk) if turn % 2 else (sdk, bare)
            times = {first: await _time_async(first), second: await _time_async(second)}
            pairs.append((times[bare], times[sdk]))
    return _result("async", pairs, calls)


def _time(loop: Callable[[], None]) -> Turn:
    began, cpu = time.perf_counter(), time.process_time()
    loop()
    return Turn(time.perf_counter() - began, time.process_time() - cpu)


async def _time_async(loop: Callable[[], Awaitable[None]]) -> Turn:
    began, cpu = time.perf_counter(), time.process_time()
    await loop()
    return Turn(time.perf_counter() - began, time.process_time() - cpu)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url")
    parser.add_argument("--calls", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=161)
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.url or stack.enter_context(ClawdProcess()).url
        print(blocking(url, options.calls, options.rounds))
        print(asyncio.run(awaiting(url, options.calls, options.rounds)))


if __name__ == "__main__":
    main()
