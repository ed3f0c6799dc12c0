"""Drives a flow without I/O: every request is answered by a function, pauses only move a clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import httpx2

from openclaw_rating._core import Core
from openclaw_rating._flow import Close, Flow, Pause, Send
from openclaw_rating._settings import Settings

T = TypeVar("T")
SECOND = 1_000_000_000


class Clock:
    """Nanoseconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


Answer = httpx2.Response | Exception


class World:
    """A core, and the nodes it believes to talk to."""

    def __init__(self, answer: Callable[[httpx2.Request], Answer], **settings: Any) -> None:
        self.clock = Clock()
        self.answer = answer
        self.requests: list[httpx2.Request] = []
        self.pauses: list[float] = []
        self.woken = 0
        settings.setdefault("urls", ("http://a", "http://b"))
        self.core = Core(Settings(clock=self.clock, **settings))
        self.core.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def run(self, flow: Flow[T]) -> T:
        try:
            effect = flow.send(None)
            while True:
                outcome: httpx2.Response | None = None
                if isinstance(effect, Send):
                    self.requests.append(effect.request)
                    given = self.answer(effect.request)
                    if isinstance(given, Exception):
                        effect = flow.throw(given)
                        continue
                    given.request = effect.request
                    outcome = given
                elif isinstance(effect, Pause):
                    self.pauses.append(effect.seconds)
                    self.clock.advance(effect.seconds)
                else:
                    assert isinstance(effect, Close)
                effect = flow.send(outcome)
        except StopIteration as stop:
            value: T = stop.value
            return value

    @property
    def asked(self) -> list[str]:
        """Hosts, in the order they were asked."""
        return [request.url.host for request in self.requests]

    def keys(self) -> list[str]:
        return [request.headers.get("idempotency-key", "") for request in self.requests]


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = "application/json" if status < 400 else "application/problem+json"
    return httpx2.Response(status, headers={"content-type": kind, **named}, content=json.dumps(body or {}).encode())


def decision(request: httpx2.Request, *, remaining: int = 10, allowed: bool = True, **more: Any) -> httpx2.Response:
    """What a node answers to a consume."""
    asked = json.loads(request.content)
    body = {
        "allowed": allowed,
        "agent": "x",
        "tokens": asked["tokens"],
        "limit": asked.get("policy", {}).get("capacity", 1000),
        "remaining": remaining,
        "retry_after_ms": 0 if allowed else 1500,
        "reset_ms": 1000,
        **more,
    }
    return answer(200 if allowed else 429, body)


def refused(request: httpx2.Request | None = None) -> Exception:
    return httpx2.ConnectError("refused", request=request)


def lost(request: httpx2.Request | None = None) -> Exception:
    return httpx2.ReadError("reset", request=request)
