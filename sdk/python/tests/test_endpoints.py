"""Which node is asked, and when one that failed is looked at again."""

from __future__ import annotations

import random

from openclaw_rating._endpoints import ABANDONED, ERRORS_TO_OPEN, LAST_PROBE, Endpoints

SECOND = 1_000_000_000


def endpoints(*urls: str) -> Endpoints:
    return Endpoints(urls or ("a", "b"), random.Random(1))


def test_the_first_that_is_well_is_asked() -> None:
    some = endpoints()
    a, b = some.all
    assert some.pick(0) is a
    assert some.unreachable(a, 0)
    assert some.pick(0) is b
    some.succeeded(a)
    assert some.pick(0) is a


def test_what_is_out_of_use_is_asked_only_by_who_has_no_alternative() -> None:
    some = endpoints("a")
    some.unreachable(some.all[0], 0)
    assert some.pick(0) is None
    assert not some.usable()
    assert some.pick(0, even_open=True) is some.all[0]
    assert some.pick(0, some.all, even_open=True) is None


def test_only_news_is_news() -> None:
    some = endpoints("a")
    assert some.unreachable(some.all[0], 0)
    assert not some.unreachable(some.all[0], 0)


def test_bad_answers_in_a_row_open_it_and_one_good_one_forgets_them() -> None:
    some = endpoints("a")
    one = some.all[0]
    for _ in range(ERRORS_TO_OPEN - 1):
        assert not some.answered_badly(one, 0, None)
    some.succeeded(one)
    for _ in range(ERRORS_TO_OPEN - 1):
        assert not some.answered_badly(one, 0, None)
    assert some.answered_badly(one, 0, None)


def test_a_node_that_asks_for_rest_gets_it() -> None:
    some = endpoints("a")
    assert some.answered_badly(some.all[0], 0, 2.0)
    assert some.due(2 * SECOND - 1) == []
    assert some.due(2 * SECOND) == some.all


def test_probes_come_soon_then_ever_later_up_to_a_bound() -> None:
    some, now, pauses = endpoints("a"), 0, []
    one = some.all[0]
    for _ in range(15):
        some.unreachable(one, now)
        pauses.append(one.probe_at - now)
        now = one.probe_at
    assert pauses[0] <= SECOND // 20
    assert all(pause <= LAST_PROBE for pause in pauses)
    assert pauses[-1] >= LAST_PROBE * 3 // 4


def test_when_nothing_probes_one_caller_does() -> None:
    some = endpoints("a")
    one = some.all[0]
    some.unreachable(one, 0)
    late = one.probe_at + ABANDONED
    assert some.pick(late - 1) is None
    assert some.pick(late) is one
    assert some.pick(late) is None  # one, not all
