"""Waiting for something that comes by itself, with an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx2

LONG = 60.0
PATIENT = httpx2.Timeout(30)
"""For clients whose node is well: a number alone would leave one second to connect, which a busy machine may need."""


def eventually(check: Callable[[], bool], seconds: float = LONG) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


async def eventually_async(check: Callable[[], Awaitable[bool]], seconds: float = LONG) -> None:
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0.005)
