"""Decisions in an outage and what becomes of them afterwards, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from openclaw_rating import APIConnectionError, InlinePolicy, InternalServerError, RateLimitError
from openclaw_rating import _holds as holds
from openclaw_rating._bucket import acquire
from script import Answer, World, answer, decision, lost, refused

POLICY = InlinePolicy(100, 100, 3600)


class Node:
    """A node with one bucket per agent, without refill, that can be cut off."""

    def __init__(self, level: int = 100) -> None:
        self.level: dict[str, int] = {}
        self.start = level
        self.consumed: dict[str, int] = {}
        self.fault: Callable[[httpx2.Request], Answer] | None = None
        self.refunds = 0

    def __call__(self, request: httpx2.Request) -> Answer:
        if self.fault is not None:
            return self.fault(request)
        path = request.url.path
        if path == "/readyz":
            return answer(200, {"status": "ok"})
        body = json.loads(request.content or b"{}")
        if path == "/v1/consume":
            results = [self.take(one["agent"], one["tokens"]) for one in body["checks"]]
            return answer(200, {"allowed": all(one["allowed"] for one in results), "results": results})
        agent = path.split("/")[3]
        if path.endswith("/consume"):
            result = self.take(agent, body["tokens"])
            return answer(200 if result["allowed"] else 429, result)
        if path.endswith("/refund"):
            self.refunds += 1
            self.level[agent] = self.level.get(agent, self.start) + body["tokens"]
            self.consumed[agent] -= body["tokens"]
            return answer(200, {"agent": agent, "tokens": 1, "refunded": body["tokens"], "limit": 100, "remaining": 0})
        return answer(404, {"detail": "no such route"})

    def take(self, agent: str, tokens: int) -> dict[str, Any]:
        level = self.level.get(agent, self.start)
        allowed = tokens <= level
        if allowed:
            self.level[agent] = level - tokens
            self.consumed[agent] = self.consumed.get(agent, 0) + tokens
        return {
            "allowed": allowed,
            "agent": agent,
            "tokens": tokens,
            "limit": 100,
            "remaining": self.level.get(agent, level),
            "retry_after_ms": 0 if allowed else 60_000,
            "reset_ms": 1,
        }


def world(node: Callable[[httpx2.Request], Answer], **settings: Any) -> World:
    settings.setdefault("urls", ("http://a",))
    return World(node, **settings)


def recover(here: World) -> None:
    """Rounds in the background until there is nothing more to do."""
    for _ in range(50):
        pause = here.run(here.core.background())
        if pause is None:
            return
        here.clock.advance(pause)
    raise AssertionError("the background never came to rest")


def test_an_outage_is_answered_here_and_told_later() -> None:
    node = Node()
    here = world(node)
    for _ in range(10):
        assert here.run(here.core.decide("x", 1, POLICY)).source == "node"
    node.fault = refused
    sources = [here.run(here.core.decide("x", 1, POLICY)) for _ in range(60)]
    granted = [one for one in sources if one.allowed]
    assert len(granted) == 45  # half of the 90 that were left
    assert {one.source for one in sources} == {"local"}
    assert here.core.ledger.total == 45
    assert here.woken
    node.fault = None
    recover(here)
    assert node.consumed["x"] == 55
    assert not here.core.ledger
    assert here.run(here.core.decide("x", 1, POLICY)).source == "node"


def test_a_smaller_limit_of_the_nodes_bounds_what_refills_here() -> None:
    """A policy on the nodes may have won over the one in the request: its capacity counts, however long the outage."""
    here = world(lambda r: decision(r, remaining=10, limit=10))
    here.run(here.core.decide("x", 1, POLICY))
    here.answer = refused
    here.run(here.core.decide("x", 1, POLICY))
    here.clock.advance(10 * 3600)
    assert sum(here.run(here.core.decide("x", 1, POLICY)).allowed for _ in range(60)) == 5  # half of 10, not of 100


def test_only_the_first_call_of_an_outage_touches_the_network() -> None:
    here = world(refused)
    for _ in range(5):
        here.run(here.core.decide("x", 1, POLICY))
    assert len(here.requests) == 1


def test_debts_are_told_before_the_node_is_asked_again() -> None:
    node = Node()
    node.fault = refused
    here = world(node)
    for agent in ("x", "y"):
        here.run(here.core.decide(agent, 3, POLICY))
    node.fault = None
    here.clock.advance(1)
    here.requests.clear()
    here.run(here.core.background())
    assert [request.url.path for request in here.requests] == ["/readyz", "/v1/consume"]
    assert node.consumed == {"x": 3, "y": 3}
    assert here.core.endpoints.usable()


@pytest.mark.parametrize(("mode", "allowed"), [("deny", False), ("allow", True)])
def test_who_wants_no_local_bucket_gets_the_same_answer_always(mode: str, allowed: bool) -> None:
    node = Node()
    node.fault = refused
    here = world(node, on_unavailable=mode)
    for _ in range(150):
        one = here.run(here.core.decide("x", 1, POLICY))
        assert (one.allowed, one.source) == (allowed, mode)
    node.fault = None
    here.clock.advance(1)
    here.run(here.core.background())
    assert node.consumed.get("x", 0) == (100 if allowed else 0)
    assert here.core.ledger.total == (50 if allowed else 0)  # more than the bucket has: a debt


def test_who_wants_to_know_gets_the_error() -> None:
    here = world(refused, on_unavailable="raise", max_retries=1)
    with pytest.raises(APIConnectionError):
        here.run(here.core.decide("x", 1, POLICY))
    assert len(here.pauses) == 1


def test_a_node_that_cannot_decide_is_an_outage_too() -> None:
    here = world(lambda r: answer(500, {}))
    assert here.run(here.core.decide("x", 1, POLICY)).source == "local"
    here = world(lambda r: answer(503, {}, retry_after="1"))
    assert here.run(here.core.decide("x", 1, POLICY)).source == "local"
    assert len(here.pauses) == 2  # it said when to come back, twice in vain


def test_a_wrong_question_is_no_outage() -> None:
    here = world(lambda r: answer(401, {"title": "no"}))
    with pytest.raises(Exception, match="401"):
        here.run(here.core.decide("x", 1, POLICY))
    assert not here.core.ledger


def test_a_lost_answer_is_told_by_its_own_key() -> None:
    node = Node()
    node.fault = lost
    here = world(node)
    assert here.run(here.core.decide("x", 7, POLICY)).allowed
    key = here.keys()[0]
    node.fault = None
    here.requests.clear()
    recover(here)
    told = [request for request in here.requests if request.url.path.endswith("/consume")]
    assert [request.headers["idempotency-key"] for request in told] == [key]
    assert json.loads(told[0].content)["tokens"] == 7
    assert node.consumed["x"] == 7


def test_a_report_whose_answer_got_lost_is_the_same_report_again() -> None:
    node = Node()
    node.fault = refused
    here = world(node)
    here.run(here.core.decide("x", 3, POLICY))
    node.fault = lambda r: answer(200, {"status": "ok"}) if r.url.path == "/readyz" else lost(r)
    here.clock.advance(1)
    here.run(here.core.background())
    here.run(here.core.decide("x", 2, POLICY))  # in between more is consumed
    node.fault = None
    recover(here)
    batches = [request for request in here.requests if request.url.path == "/v1/consume"]
    assert batches[0].headers["idempotency-key"] == batches[1].headers["idempotency-key"]
    assert batches[0].content == batches[1].content
    assert node.consumed["x"] == 5


def test_a_debt_beyond_what_is_left_is_paid_as_it_refills_and_comes_first() -> None:
    node = Node(level=10)
    node.fault = refused
    here = world(node)
    for _ in range(30):
        here.run(here.core.decide("x", 1, POLICY))
    node.fault = None
    here.clock.advance(1)
    here.run(here.core.background())
    assert node.consumed["x"] == 10  # all there was
    assert here.core.ledger.total == 20
    one = here.run(here.core.decide("x", 1, POLICY))
    assert not one.allowed
    assert one.source == "local"
    assert one.retry_after is not None
    assert 0 < one.retry_after <= 5
    node.level["x"] = 100
    here.clock.advance(5)
    assert here.run(here.core.decide("x", 1, POLICY)).source == "node"
    assert node.consumed["x"] == 31
    assert not here.core.ledger


def test_a_denied_consume_of_a_lost_answer_becomes_a_debt() -> None:
    node = Node(level=0)
    node.fault = lost
    here = world(node)
    here.run(here.core.decide("x", 2, POLICY))
    node.fault = None
    here.clock.advance(1)
    here.run(here.core.background())
    assert here.core.ledger.total == 2


def test_a_report_that_is_refused_is_taken_apart() -> None:
    node = Node()
    node.fault = refused
    here = world(node)
    for agent in ("x", "y"):
        here.run(here.core.decide(agent, 5, POLICY))

    def picky(request: httpx2.Request) -> Answer:
        body = json.loads(request.content or b"{}")
        if request.url.path == "/v1/consume":
            return answer(400, {"field": "checks[0].tokens"})
        if body.get("tokens", 0) > 2:
            return answer(400, {"field": "tokens"})
        node.fault = None
        result = node(request)
        node.fault = picky
        return result

    node.fault = picky
    recover(here)
    assert sum(node.consumed.values()) + here.core.ledger.dropped == 10
    assert sum(node.consumed.values()) >= 4


def test_reports_that_are_not_wanted_now_rest() -> None:
    node = Node()
    node.fault = refused
    here = world(node)
    here.run(here.core.decide("x", 5, POLICY))
    node.fault = lambda r: answer(200, {"status": "ok"}) if r.url.path == "/readyz" else answer(500, {})
    here.clock.advance(1)
    pause = here.run(here.core.background())
    assert pause is not None
    assert pause > 0.5
    node.fault = None
    recover(here)
    assert node.consumed["x"] == 5


def test_what_cannot_be_told_later_is_not_granted_now() -> None:
    here = world(refused, max_local_keys=2)
    answers = [here.run(here.core.decide(str(number), 1, POLICY)).allowed for number in range(4)]
    assert answers == [True, True, False, False]


def test_a_request_for_more_than_a_share_waits_for_the_node() -> None:
    here = world(refused)
    one = here.run(here.core.decide("x", 51, POLICY))
    assert not one.allowed
    assert one.retry_after is not None
    assert one.retry_after <= 0.1  # until the next probe


def test_the_share_follows_the_number_of_nodes() -> None:
    members = [
        {
            "name": str(number), "node": "1", "run": "1", "state": "ready", "http_addr": "", "peer_addr": "",
            "staleness_ms": 0, "clock_skew_ms": 0, "lag_rows": 0,
        }
        for number in range(5)
    ]  # fmt: skip
    cluster = {"name": "c", "self": "0", "members": members}
    here = world(lambda r: answer(200, cluster) if r.url.path == "/v1/cluster" else decision(r), local_share=None)
    here.run(here.core.decide("x", 1, POLICY))
    assert here.woken
    assert here.run(here.core.background()) is None
    here.answer = refused
    grants = sum(here.run(here.core.decide("y", 1, POLICY)).allowed for _ in range(100))
    assert grants == 20


def test_waiting_asks_again_when_told_and_gives_up_in_time() -> None:
    answers = iter([False, False, True])
    here = world(lambda r: decision(r, allowed=next(answers), remaining=0))
    assert here.run(acquire(here.core, "x", 1, POLICY, True))
    assert all(1.5 <= pause <= 1.65 for pause in here.pauses)
    here = world(lambda r: decision(r, allowed=False))
    with pytest.raises(RateLimitError) as caught:
        here.run(acquire(here.core, "x", 1, POLICY, 1.0))  # it would take 1.5 s
    assert here.pauses == []
    assert caught.value.retry_after == 1.5
    with pytest.raises(RateLimitError):
        here.run(acquire(here.core, "x", 1, POLICY, False))


# --- holds ------------------------------------------------------------------------------------------------------------


def test_without_holds_a_reservation_is_consumption_that_is_corrected() -> None:
    node = Node()
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 50, POLICY))
    assert (held.kind, node.consumed["x"]) == ("node", 50)
    settled = here.run(holds.settle(here.core, held, 20))
    assert (settled.charged, settled.returned, node.consumed["x"]) == (20, 30, 20)
    assert here.run(holds.settle(here.core, held, 20)) == settled
    with pytest.raises(ValueError, match="settled with 20"):
        here.run(holds.settle(here.core, held, 21))
    asked = len(here.requests)
    here.run(holds.reserve(here.core, "x", 1, POLICY))
    assert len(here.requests) == asked + 1  # it is not asked for holds each time


def test_more_than_was_reserved_is_charged() -> None:
    node = Node()
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 5, POLICY))
    assert here.run(holds.settle(here.core, held, 9)).overrun == 4
    recover(here)
    assert node.consumed["x"] == 9


def test_a_denied_reservation_takes_nothing() -> None:
    node = Node(level=4)
    here = world(node)
    with pytest.raises(RateLimitError) as caught:
        here.run(holds.reserve(here.core, "x", 5, POLICY))
    assert caught.value.decision is not None
    assert not node.consumed


def test_a_reservation_in_an_outage_is_corrected_before_it_is_told() -> None:
    node = Node()
    node.fault = refused
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 40, POLICY))
    assert held.kind == "local"
    here.run(holds.settle(here.core, held, 10))
    assert here.core.ledger.total == 10
    assert here.run(here.core.decide("x", 40, POLICY)).allowed  # 50 less 10
    node.fault = None
    recover(here)
    assert node.consumed["x"] == 50
    assert node.refunds == 0


def test_a_reservation_of_an_outage_that_was_told_already_is_refunded() -> None:
    node = Node()
    node.fault = refused
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 40, POLICY))
    node.fault = None
    recover(here)
    assert node.consumed["x"] == 40
    here.run(holds.settle(here.core, held, 10))
    assert node.consumed["x"] == 10


def test_a_refund_that_reaches_nobody_is_made_later_and_one_that_may_have_is_not() -> None:
    for fault, refunded in ((refused, 45), (lost, 0)):
        node = Node()
        here = world(node)
        held = here.run(holds.reserve(here.core, "x", 50, POLICY))
        node.fault = fault
        assert here.run(holds.settle(here.core, held, 5)).pending
        node.fault = None
        recover(here)
        assert node.consumed["x"] == 50 - refunded


class HoldNode(Node):
    """A node that has holds, in the shapes of the design."""

    def __init__(self, level: int = 100, *, takes_policy: bool = True) -> None:
        super().__init__(level)
        self.takes_policy = takes_policy
        self.holds: dict[str, tuple[str, int]] = {}
        self.settled: dict[str, int] = {}

    def __call__(self, request: httpx2.Request) -> Answer:
        path, body = request.url.path, json.loads(request.content or b"{}")
        if self.fault is None and path.endswith("/reservations"):
            agent = path.split("/")[3]
            if "policy" in body and not self.takes_policy:
                return answer(400, {"detail": "unknown field", "field": "policy"})
            result = self.take(agent, body["tokens"])
            if not result["allowed"]:
                return answer(429, result)
            name = f"h{len(self.holds)}"
            self.holds[name] = agent, body["tokens"]
            return answer(
                201,
                {
                    "id": name, "allowed": True, "agent": agent, "tokens": body["tokens"],
                    "expires_at": "2026-11-22T12:00:00.123456789Z", "remaining": result["remaining"],
                },
            )  # fmt: skip
        if self.fault is None and path.startswith("/v1/reservations/"):
            return self.close(path.split("/")[3], 0 if request.method == "DELETE" else body["tokens"])
        return super().__call__(request)

    def close(self, name: str, used: int) -> Answer:
        if name not in self.holds:
            return answer(404, {"detail": "unknown"})
        if self.settled.get(name, used) != used:
            return answer(409, {"detail": "settled with another amount"})
        self.settled[name] = used
        agent, tokens = self.holds[name]
        self.consumed[agent] += used - tokens
        return answer(
            200,
            {
                "id": name, "state": "settled", "charged": used,
                "returned": max(0, tokens - used), "overrun": max(0, used - tokens),
            },
        )  # fmt: skip


def test_holds_are_used_where_there_are_any() -> None:
    node = HoldNode()
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 50, POLICY, 60))
    assert (held.kind, held.id) == ("hold", "h0")
    assert json.loads(here.requests[0].content)["ttl_seconds"] == 60
    assert here.run(holds.settle(here.core, held, 60)).overrun == 10
    assert node.consumed["x"] == 60
    held = here.run(holds.reserve(here.core, "x", 10, POLICY))
    here.run(holds.cancel(here.core, held))
    assert node.consumed["x"] == 60
    with pytest.raises(RateLimitError):
        here.run(holds.reserve(here.core, "x", 99, POLICY))


def test_holds_that_take_no_policy_are_used_without_one_only() -> None:
    here = world(HoldNode(takes_policy=False))
    assert here.run(holds.reserve(here.core, "x", 5, POLICY)).kind == "node"
    assert here.run(holds.reserve(here.core, "x", 5, POLICY)).kind == "node"
    assert here.run(holds.reserve(here.core, "x", 5, None)).kind == "hold"
    paths = [request.url.path.rsplit("/", 1)[1] for request in here.requests]
    assert paths == ["reservations", "consume", "consume", "reservations"]


def test_a_settle_that_reaches_nobody_is_made_later() -> None:
    for fault in (refused, lost):
        node = HoldNode()
        here = world(node)
        held = here.run(holds.reserve(here.core, "x", 50, POLICY))
        node.fault = fault
        assert here.run(holds.settle(here.core, held, 20)).pending
        node.fault = None
        recover(here)
        assert node.settled == {"h0": 20}


def test_a_hold_that_a_crash_took_is_charged_anew() -> None:
    node = HoldNode()
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 50, POLICY))
    node.holds.clear()
    node.consumed.clear()
    here.run(holds.settle(here.core, held, 20))
    recover(here)
    assert node.consumed["x"] == 20


@pytest.mark.parametrize("used", [0, 20])
def test_an_abandoned_hold_is_settled_in_the_background(used: int) -> None:
    node = HoldNode()
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 50, POLICY))
    holds.abandon(here.core, held, used)
    asked = len(here.requests)
    holds.abandon(here.core, held, used)
    assert len(here.requests) == asked
    recover(here)
    assert node.settled == {"h0": used}


def test_parts_are_totals_so_far() -> None:
    node = HoldNode()
    here = world(node)
    held = here.run(holds.reserve(here.core, "x", 50, POLICY))
    here.run(holds.settle(here.core, held, 10, final=False))
    with pytest.raises(ValueError, match="total so far"):
        here.run(holds.settle(here.core, held, 5, final=False))
    assert json.loads(here.requests[-1].content) == {"tokens": 10, "final": False}


def test_an_outage_while_reserving_is_no_reason_to_fail() -> None:
    here = world(lambda r: answer(500, {}))
    assert here.run(holds.reserve(here.core, "x", 5, POLICY)).kind == "local"
    here = world(lambda r: answer(500, {}), on_unavailable="raise", max_retries=0)
    with pytest.raises(InternalServerError):
        here.run(holds.reserve(here.core, "x", 5, POLICY))
