"""The local bucket against an oracle in fractions, and its laws."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from openclaw_rating import InlinePolicy
from openclaw_rating._local import SECOND, LocalBucket, LocalBuckets, Seen, per_second

fractions = st.fractions(min_value=Fraction(1, 1000), max_value=10_000, max_denominator=1000)
steps = st.lists(st.tuples(st.integers(0, 10 * SECOND), st.integers(1, 50), st.booleans()), max_size=40)


@given(capacity=st.fractions(1, 1000, max_denominator=100), rate=fractions, steps=steps)
def test_it_decides_as_an_obvious_bucket_does(
    capacity: Fraction, rate: Fraction, steps: list[tuple[int, int, bool]]
) -> None:
    bucket, level, now = LocalBucket(capacity, rate, 0), capacity, 0
    for pause, tokens, give in steps:
        now += pause
        level = min(capacity, level + rate * pause / SECOND)
        if give:
            bucket.give(tokens, now)
            level = min(capacity, level + tokens)
        else:
            allowed = level >= tokens
            assert bucket.take(tokens, now) is allowed
            level -= tokens * allowed
        assert bucket.remaining(now) == int(level)


@given(rate=fractions, looks=st.lists(st.integers(0, SECOND), max_size=50))
def test_how_often_it_is_looked_at_changes_nothing(rate: Fraction, looks: list[int]) -> None:
    looked, left = LocalBucket(Fraction(100), rate, 0), LocalBucket(Fraction(100), rate, 0)
    assert looked.take(100, 0)
    assert left.take(100, 0)
    now = 0
    for pause in looks:
        now += pause
        looked.remaining(now)
    assert looked.wait_for(100, now) == left.wait_for(100, now)
    assert looked.remaining(now) == left.remaining(now)


@given(rate=fractions, tokens=st.integers(1, 100), spent=st.integers(0, 100))
def test_the_wait_it_states_is_exact(rate: Fraction, tokens: int, spent: int) -> None:
    bucket = LocalBucket(Fraction(100), rate, 0)
    if spent:
        assert bucket.take(spent, 0)
    wait = bucket.wait_for(tokens, 0)
    assert wait is not None
    if wait > 0:
        assert not bucket.take(tokens, wait - 1)
    assert bucket.take(tokens, wait)


@given(jumps=st.lists(st.integers(-5 * SECOND, 5 * SECOND), max_size=30))
def test_a_clock_that_jumps_back_refills_nothing_twice(jumps: list[int]) -> None:
    bucket, now, latest, taken = LocalBucket(Fraction(10), Fraction(1), 0), 0, 0, 0
    for jump in jumps:
        now = max(0, now + jump)
        latest = max(latest, now)
        while bucket.take(1, now):
            taken += 1
        assert taken <= 10 + Fraction(latest, SECOND)


def test_what_never_fits_has_no_wait() -> None:
    assert LocalBucket(Fraction(5), Fraction(1), 0).wait_for(6, 0) is None


POLICY = InlinePolicy(1000, 1000, 3600)
KEY = ("a", POLICY)


def buckets(share: Fraction = Fraction(1, 2), max_keys: int = 10) -> LocalBuckets:
    return LocalBuckets(share, max_keys)


def drain(local: LocalBuckets, now: int, key: tuple[str, InlinePolicy | None] = KEY) -> int:
    count = 0
    while local.take(key, 1, now).allowed:
        count += 1
    return count


def test_it_hands_out_its_share_of_an_unseen_limit() -> None:
    assert drain(buckets(), 0) == 500


def test_it_begins_with_its_share_of_what_was_left() -> None:
    local = buckets()
    local.observe(KEY, Seen(200, 1000, per_second(POLICY), 5))
    assert drain(local, 5) == 100


def test_a_second_outage_grants_nothing_anew() -> None:
    local = buckets()
    assert drain(local, 0) == 500
    local.observe(KEY, Seen(900, 1000, per_second(POLICY), 1))  # back for a moment
    assert drain(local, 2) == 0


def test_what_is_left_there_is_extrapolated_with_the_refill() -> None:
    local = buckets()
    local.observe(KEY, Seen(0, 1000, per_second(POLICY), 1))
    assert drain(local, 1 + 1800 * SECOND) == 250


def test_a_lower_limit_of_the_nodes_wins() -> None:
    local = buckets()
    local.observe(KEY, Seen(100, 100, per_second(POLICY), 1))
    assert drain(local, 1) == 50


def test_a_limit_nobody_told_is_denied() -> None:
    verdict = buckets().take(("a", None), 1, 0)
    assert not verdict.allowed
    assert verdict.wait is None


def test_a_limit_of_the_nodes_is_learnt() -> None:
    local = buckets()
    local.observe(("a", None), Seen(60, 60, Fraction(1), 1))
    assert drain(local, 1, ("a", None)) == 30


def test_one_token_is_always_within_a_share() -> None:
    assert drain(buckets(Fraction(1, 10)), 0, ("a", InlinePolicy(3, 3, 60))) == 1


def test_memory_is_bounded() -> None:
    local = buckets(max_keys=3)
    for number in range(20):
        local.observe((str(number), POLICY), Seen(1, 1000, Fraction(1), 1))
        local.take((str(number), POLICY), 1, 1)
    assert len(local._buckets) == 3
    assert len(local._seen) == 3


@given(rate=st.floats(1e-6, 1e6, allow_nan=False), interval=st.floats(1e-6, 1e6, allow_nan=False))
def test_a_rate_is_what_a_node_computes_from_six_digits(rate: float, interval: float) -> None:
    policy = InlinePolicy(1, rate, interval)
    assert per_second(policy) == Fraction(round(rate * 10**6), round(interval * 10**6))
    sent = policy.body()
    assert Fraction(str(sent["refill_rate"])) / Fraction(str(sent["interval_seconds"])) == per_second(policy)
