"""The buckets that decide when no node can: exact integer arithmetic, time passed in, bounded in number.

A level is counted in units so small that one nanosecond refills a whole number of them. Nothing is ever rounded, so
how often a bucket is looked at does not change what it holds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._models import InlinePolicy

SECOND = 1_000_000_000
"""One second in the nanoseconds that all instants here are counted in."""

BucketKey = tuple[str, "InlinePolicy | None"]


class LocalBucket:
    """A token bucket. It starts full. Not safe for concurrent use: its owner holds a lock."""

    __slots__ = ("_at", "_cap", "_level", "_rate", "_token")

    def __init__(self, capacity: Fraction, refill_per_second: Fraction, now: int) -> None:
        per_nano = refill_per_second / SECOND
        # The least number of units to a token for which rate per nanosecond and capacity are whole.
        self._token = per_nano.denominator * capacity.denominator
        self._rate = int(per_nano * self._token)
        self._cap = int(capacity * self._token)
        self._level = self._cap
        self._at = now

    def _advance(self, now: int) -> None:
        # A clock that stepped back stands still until it is where it was.
        if now > self._at:
            self._level = min(self._cap, self._level + (now - self._at) * self._rate)
            self._at = now

    def take(self, tokens: int, now: int) -> bool:
        """Take tokens if they are there; a denial takes nothing."""
        self._advance(now)
        cost = tokens * self._token
        if cost > self._level:
            return False
        self._level -= cost
        return True

    def give(self, tokens: int, now: int) -> None:
        """Give tokens back; what does not fit is lost."""
        self._advance(now)
        self._level = min(self._cap, self._level + tokens * self._token)

    def lower_to(self, tokens: Fraction, now: int) -> None:
        """Hold at most so many tokens, a debt if that is less than none. Never adds any."""
        self._advance(now)
        self._level = min(self._level, int(tokens * self._token))

    def remaining(self, now: int) -> int:
        """Whole tokens that are there."""
        self._advance(now)
        return max(0, self._level // self._token)

    def wait_for(self, tokens: int, now: int) -> int | None:
        """Nanoseconds until so many tokens are there; None when that never is."""
        self._advance(now)
        cost = tokens * self._token
        if cost > self._cap:
            return None
        missing = max(0, cost - self._level)
        return -(-missing // self._rate)

    @property
    def capacity(self) -> int:
        """Whole tokens the bucket can hold."""
        return self._cap // self._token


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node last said of a bucket, and when."""

    remaining: int
    limit: int
    refill_per_second: Fraction
    at: int

    def level(self, now: int) -> Fraction:
        """What would be there if nobody had taken anything since."""
        return min(Fraction(self.limit), self.remaining + self.refill_per_second * max(0, now - self.at) / SECOND)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a local bucket; `wait` is in nanoseconds, None when no wait helps."""

    allowed: bool
    limit: int
    remaining: int
    wait: int | None


class LocalBuckets:
    """The buckets of one client, each a stricter copy of one on the nodes. Safe for concurrent use.

    Of what a node has and refills a local bucket has `share`, since other callers may be cut off as well. It never
    begins with more than its share of what the node last said was left.
    """

    def __init__(self, share: Fraction, max_keys: int) -> None:
        self.share = share
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._buckets: OrderedDict[BucketKey, tuple[LocalBucket, int]] = OrderedDict()
        self._seen: dict[BucketKey, Seen] = {}

    def observe(self, key: BucketKey, seen: Seen) -> None:
        """Remember what a node said."""
        known = self._seen
        if key not in known and len(known) >= self._max_keys:
            with self._lock:
                while len(known) >= self._max_keys:
                    del known[next(iter(known))]
        known[key] = seen

    def take(self, key: BucketKey, tokens: int, now: int) -> Verdict:
        """Decide without a node. What no node ever told a limit of is denied."""
        with self._lock:
            bucket = self._bucket(key, now)
            if bucket is None:
                return Verdict(allowed=False, limit=0, remaining=0, wait=None)
            allowed = bucket.take(tokens, now)
            wait = 0 if allowed else bucket.wait_for(tokens, now)
            return Verdict(allowed, bucket.capacity, bucket.remaining(now), wait)

    def give(self, key: BucketKey, tokens: int, now: int) -> None:
        """Give back what was taken here."""
        with self._lock:
            if (bucket := self._bucket(key, now)) is not None:
                bucket.give(tokens, now)

    def set_share(self, share: Fraction) -> None:
        """Take another share from now on; what nodes last said bounds what the new buckets begin with."""
        with self._lock:
            if share != self.share:
                self.share = share
                self._buckets.clear()

    def _bucket(self, key: BucketKey, now: int) -> LocalBucket | None:
        seen = self._seen.get(key)
        found = self._buckets.get(key)
        if found is None:
            limits = _limits(key[1], seen)
            if limits is None:
                return None
            capacity, rate = limits
            found = LocalBucket(max(Fraction(1), capacity * self.share), rate * self.share, now), 0
            while len(self._buckets) >= self._max_keys:
                self._buckets.popitem(last=False)
        bucket, synced = found
        if seen is not None and seen.at > synced:
            bucket.lower_to(seen.level(now) * self.share, now)
            synced = seen.at
        self._buckets[key] = bucket, synced
        self._buckets.move_to_end(key)
        return bucket

    def after_fork(self) -> None:
        """Begin anew in a child process: a lock may have been held by a thread that is not here."""
        self._lock = threading.Lock()


def _limits(policy: InlinePolicy | None, seen: Seen | None) -> tuple[Fraction, Fraction] | None:
    """Capacity and refill per second that hold on the nodes, as far as this process knows."""
    if policy is None:
        return None if seen is None else (Fraction(seen.limit), seen.refill_per_second)
    capacity = Fraction(policy.capacity)
    # A policy on the nodes may have won over the one in the request.
    if seen is not None:
        capacity = min(capacity, Fraction(seen.limit))
    return capacity, per_second(policy)


@lru_cache(maxsize=1024)
def per_second(policy: InlinePolicy) -> Fraction:
    """Refill per second of a policy, as a node computes it: from six digits after the point."""
    return Fraction(round(policy.refill_rate * 1_000_000), round(policy.interval_seconds * 1_000_000))
