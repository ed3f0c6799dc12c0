"""How calls of models went, summed up per agent until the next report. Safe for concurrent use; bounded."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from ._local import SECOND

WINDOW = SECOND
"""How long outcomes are gathered before they are reported."""
MAX_AGENTS = 1000
MAX_WINDOW_SECONDS = 3600.0
"""The longest window that a report may be about."""


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    errors: int = 0
    latency_ms: float = 0.0


class Feedback:
    """The outcomes of one client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[str, _Sum] = {}
        self._since = 0

    def note(self, agent: str, seconds: float, *, error: bool, now: int) -> bool:
        """Count one call. True when it is the first of a window."""
        with self._lock:
            first = not self._sums
            if first:
                self._since = now
            if agent not in self._sums and len(self._sums) >= MAX_AGENTS:
                return False
            entry = self._sums.setdefault(agent, _Sum())
            entry.requests += 1
            entry.errors += error
            entry.latency_ms += seconds * 1000
            return first

    def due(self) -> int | None:
        """When the window ends; None when nothing was noted."""
        return self._since + WINDOW if self._sums else None

    def take(self, now: int) -> list[dict[str, Any]]:
        """The reports of the window, which begins anew."""
        with self._lock:
            sums, self._sums = self._sums, {}
            window = min(MAX_WINDOW_SECONDS, max(0.001, (now - self._since) / 1e9))
        return [
            {
                "agent": agent,
                "requests": one.requests,
                "errors": one.errors,
                "latency_ms_sum": round(one.latency_ms, 3),
                "window_seconds": round(window, 3),
            }
            for agent, one in sums.items()
        ]

    def after_fork(self) -> None:
        """Begin anew in a child process: the parent reports what it saw."""
        self._lock = threading.Lock()
        self._sums = {}
