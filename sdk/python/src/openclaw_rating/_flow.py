"""How the one core runs under both clients.

What happens in a call is written once, as a generator: it yields what it wants done (send this, pause so long) and is
resumed with the outcome. A client's driver does these things, blocking or awaiting. A generator holds no lock while it
is suspended.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

import httpx2

T = TypeVar("T")


class Send(NamedTuple):
    """Send a request and read the whole answer, or only its head when `stream` is set."""

    request: httpx2.Request
    stream: bool = False


class Pause(NamedTuple):
    """Let so many seconds pass."""

    seconds: float


class Close(NamedTuple):
    """Let go of an answer of which only the head was read."""

    response: httpx2.Response


Effect = Send | Pause | Close
Flow = Generator[Effect, Any, T]
