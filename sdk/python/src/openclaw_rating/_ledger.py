"""What nodes have yet to be told: tokens that were consumed without them, and calls whose answer is outstanding.

Consumption is kept per bucket as an amount, so that any number of local decisions need one entry. What is on its way
to a node is kept as the very call that was made, with its idempotency key, until it was answered. Safe for concurrent
use; bounded.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from . import _calls as calls
from ._models import Check

if TYPE_CHECKING:
    from ._calls import Call
    from ._local import BucketKey

MAX_CHECKS = 500


@dataclass(eq=False, slots=True)
class Report:
    """A call to make until it is answered, and the amounts it carries, if it is one of consumption."""

    call: Call[Any]
    parts: list[tuple[BucketKey, int]] = field(default_factory=list)


class Ledger:
    """The debts of one client.

    What `next_call`, `carve` and `carve_one` take out is *under way*: it still counts until it is `put_back` or
    `closed`, so nobody mistakes a report that is being made for one that was made.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._owed: dict[BucketKey, int] = {}
        self._not_before: dict[BucketKey, int] = {}
        self._ask: dict[BucketKey, int] = {}
        self._calls: deque[Report] = deque()
        self._under_way: set[Report] = set()
        self._rest_until = 0
        self.dropped = 0  # tokens that no node takes

    def __bool__(self) -> bool:
        return bool(self._owed or self._calls or self._under_way)

    @property
    def under_way(self) -> bool:
        """Whether somebody is making a report now."""
        return bool(self._under_way)

    def owe(self, key: BucketKey, tokens: int) -> bool:
        """Note consumption that no node knows of. False when there is no room for another bucket."""
        with self._lock:
            if key not in self._owed and len(self._owed) >= self._max_keys:
                return False
            self._owed[key] = self._owed.get(key, 0) + tokens
            return True

    def forgive(self, key: BucketKey, tokens: int) -> int:
        """Take back what was noted; returns how much of it was still here."""
        with self._lock:
            owed = self._owed.get(key, 0)
            back = min(owed, tokens)
            if back:
                self._set(key, owed - back)
            return back

    def owed(self, key: BucketKey) -> int:
        """Tokens of this bucket that no node knows of."""
        return self._owed.get(key, 0)

    @property
    def total(self) -> int:
        """Tokens of all buckets that no node is known to know of."""
        with self._lock:
            told = sum(tokens for report in (*self._calls, *self._under_way) for _, tokens in report.parts)
            return sum(self._owed.values()) + told

    def add(self, call: Call[Any], parts: list[tuple[BucketKey, int]] | None = None) -> bool:
        """Keep a call until it is answered. False when there is no room for it."""
        with self._lock:
            if len(self._calls) >= self._max_keys:
                return False
            self._calls.append(Report(call, parts or []))
            return True

    def next_call(self, now: int) -> Report | None:
        """Take out the oldest call that waits for an answer."""
        with self._lock:
            if not self._calls or self._rest_until > now:
                return None
            report = self._calls.popleft()
            self._under_way.add(report)
            return report

    def put_back(self, report: Report) -> None:
        """The call is still unanswered."""
        with self._lock:
            self._under_way.discard(report)
            self._calls.appendleft(report)

    def closed(self, report: Report) -> None:
        """The call was answered, or is given up."""
        with self._lock:
            self._under_way.discard(report)

    def rest_until(self, instant: int) -> None:
        """The nodes take no reports for now."""
        self._rest_until = instant

    def carve(self, now: int) -> Report | None:
        """Take out amounts for one batch."""
        with self._lock:
            if self._rest_until > now:
                return None
            due = (key for key in self._owed if self._not_before.get(key, 0) <= now)
            parts = [(key, self._carve(key)) for key in list(islice(due, MAX_CHECKS))]
            if not parts:
                return None
            report = Report(calls.consume_batch(Check(agent, part, policy) for (agent, policy), part in parts), parts)
            self._under_way.add(report)
            return report

    def carve_one(self, key: BucketKey) -> Report | None:
        """Take out what one bucket owes, as much as it can take."""
        with self._lock:
            if key not in self._owed:
                return None
            part = self._carve(key)
            report = Report(calls.consume(key[0], part, key[1]), [(key, part)])
            self._under_way.add(report)
            return report

    def _carve(self, key: BucketKey) -> int:
        owed = self._owed.get(key, 0)
        part = min(owed, self._ask.get(key, owed), owed if key[1] is None else key[1].capacity)
        self._set(key, owed - part)
        self._ask.pop(key, None)
        return part

    def denied(self, key: BucketKey, tokens: int, not_before: int, *, ask: int = 0) -> None:
        """The bucket did not have so much. The amount is owed again: not sooner than stated, and `ask` at first."""
        with self._lock:
            self._owed[key] = self._owed.get(key, 0) + tokens
            self._not_before[key] = not_before
            if ask:
                self._ask[key] = ask

    def not_before(self, key: BucketKey) -> int:
        """When a bucket may be asked again for what it owes."""
        return self._not_before.get(key, 0)

    def next_due(self) -> int | None:
        """When there is something to report; None when there is nothing."""
        with self._lock:
            if self._calls:
                return self._rest_until
            first = min((self._not_before.get(key, 0) for key in self._owed), default=None)
            return None if first is None else max(first, self._rest_until)

    def _set(self, key: BucketKey, owed: int) -> None:
        if owed:
            self._owed[key] = owed
        else:
            self._owed.pop(key, None)
            self._not_before.pop(key, None)
            self._ask.pop(key, None)

    def after_fork(self) -> None:
        """Begin anew in a child process: the parent reports what it consumed."""
        self._lock = threading.Lock()
        self._owed.clear()
        self._not_before.clear()
        self._ask.clear()
        self._calls.clear()
        self._under_way.clear()
