"""Which node to ask: the first that is believed to be well, with a memory of those that were not.

Pure: instants in nanoseconds are passed in. An endpoint is *closed* (in use) or *open* (out of use until a probe in
the background found it well). Safe for concurrent use.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from ._local import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FIRST_PROBE = SECOND // 20
"""How long after a failure an endpoint is probed for the first time; doubles up to LAST_PROBE."""
LAST_PROBE = 5 * SECOND
ABANDONED = 10 * SECOND
"""How long a probe may be overdue before a caller tries the endpoint itself: then nothing probes."""
ERRORS_TO_OPEN = 3
"""How many answers of 500 and above in a row put an endpoint out of use."""


class Endpoint:
    """One base URL and what is known of its health."""

    __slots__ = ("errors", "failures", "open", "probe_at", "url")

    def __init__(self, url: str) -> None:
        self.url = url
        self.open = False
        self.failures = 0  # probes that failed since it was opened
        self.errors = 0  # bad answers in a row while closed
        self.probe_at = 0

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {'open' if self.open else 'closed'})"


class Endpoints:
    """All base URLs of a client, in order of preference."""

    def __init__(self, urls: Sequence[str], rng: random.Random | None = None) -> None:
        self.all = [Endpoint(url) for url in urls]
        self._rng = rng or random.Random()
        self._lock = threading.Lock()
        self.any_open = False

    def pick(self, now: int, tried: Collection[Endpoint] = (), *, even_open: bool = False) -> Endpoint | None:
        """The endpoint to ask, or None when all are out of use or were tried."""
        if not self.any_open and not tried:
            return self.all[0]
        for endpoint in self.all:
            if endpoint not in tried and not endpoint.open:
                return endpoint
        for endpoint in self.all:
            if endpoint not in tried and (even_open or self._claim_abandoned(endpoint, now)):
                return endpoint
        return None

    def usable(self) -> bool:
        """Whether any endpoint is in use."""
        return not self.any_open or not all(one.open for one in self.all)

    def _claim_abandoned(self, endpoint: Endpoint, now: int) -> bool:
        """Let one caller try what should have been probed long ago."""
        with self._lock:
            if now < endpoint.probe_at + ABANDONED:
                return False
            endpoint.probe_at = now
            return True

    def succeeded(self, endpoint: Endpoint) -> None:
        """An answer that shows the endpoint to be well."""
        if endpoint.open or endpoint.errors:
            with self._lock:
                endpoint.open, endpoint.failures, endpoint.errors = False, 0, 0
                self.any_open = any(one.open for one in self.all)

    def unreachable(self, endpoint: Endpoint, now: int) -> bool:
        """No answer: out of use at once. True when it was in use until now."""
        with self._lock:
            return self._open(endpoint, now, self._pause(endpoint))

    def answered_badly(self, endpoint: Endpoint, now: int, retry_after: float | None) -> bool:
        """An answer of 500 or above. True when that put the endpoint out of use."""
        with self._lock:
            endpoint.errors += 1
            if retry_after is not None:  # it says itself that it should be left alone
                return self._open(endpoint, now, min(int(retry_after * SECOND), LAST_PROBE))
            return endpoint.errors >= ERRORS_TO_OPEN and self._open(endpoint, now, self._pause(endpoint))

    def _open(self, endpoint: Endpoint, now: int, pause: int) -> bool:
        news = not endpoint.open
        endpoint.open = self.any_open = True
        endpoint.failures += 1
        endpoint.probe_at = now + pause
        return news

    def _pause(self, endpoint: Endpoint) -> int:
        pause = min(FIRST_PROBE << min(endpoint.failures, 20), LAST_PROBE)
        return int(pause * (1 - 0.25 * self._rng.random()))

    def due(self, now: int) -> list[Endpoint]:
        """The endpoints to probe now."""
        return [one for one in self.all if one.open and one.probe_at <= now]

    def next_probe(self) -> int | None:
        """When the next probe is due; None when all are well."""
        return min((one.probe_at for one in self.all if one.open), default=None)

    def after_fork(self) -> None:
        """Begin anew in a child process."""
        self._lock = threading.Lock()
