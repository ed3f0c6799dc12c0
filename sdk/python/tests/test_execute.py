"""Retries, failover and errors, without a network: every path of one call."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from openclaw_rating import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    FeatureUnavailableError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitError,
    UnprocessableEntityError,
    UsageEvent,
)
from openclaw_rating import _calls as calls
from openclaw_rating._core import retry_after
from script import World, answer, decision, lost, refused


def test_a_node_out_of_reach_is_passed_over_at_once() -> None:
    world = World(lambda r: refused(r) if r.url.host == "a" else decision(r))
    assert world.run(world.core.execute(calls.consume("x")))
    assert world.asked == ["a", "b"]
    assert world.pauses == []
    assert len(set(world.keys())) == 1
    world.run(world.core.execute(calls.consume("x")))
    assert world.asked == ["a", "b", "b"]  # and remembered


def test_when_no_node_can_be_reached_all_are_tried_again_later() -> None:
    world = World(refused, max_retries=2)
    with pytest.raises(APIConnectionError):
        world.run(world.core.execute(calls.consume("x")))
    assert world.asked == ["a", "b"] * 3
    assert len(world.pauses) == 2
    assert 0.375 <= world.pauses[0] <= 0.5
    assert 0.75 <= world.pauses[1] <= 1.0
    assert len(set(world.keys())) == 1


def test_who_has_an_alternative_does_not_wait() -> None:
    world = World(refused)
    with pytest.raises(APIConnectionError):
        world.run(world.core.execute(calls.consume("x"), at_once=True))
    assert world.pauses == []
    with pytest.raises(APIConnectionError):
        world.run(world.core.execute(calls.consume("x"), at_once=True))
    assert world.asked == ["a", "b"]  # the second time nobody was bothered


def test_a_lost_answer_is_not_asked_for_again_where_that_might_count_twice() -> None:
    world = World(lambda r: lost(r) if r.method == "POST" else answer(200, "openapi: 3.1.0"))
    with pytest.raises(APIConnectionError) as caught:
        world.run(world.core.execute(calls.consume("x")))
    assert caught.value.maybe_done
    assert [r.method for r in world.requests] == ["POST", "GET"]  # it looked whether the nodes know the key


def test_a_lost_answer_is_asked_for_again_by_its_key() -> None:
    def node(request: httpx2.Request) -> httpx2.Response | Exception:
        if request.url.path == "/openapi.yaml":
            return answer(200, "parameters: Idempotency-Key")
        return lost(request) if request.url.host == "a" else decision(request)

    world = World(node)
    assert world.run(world.core.execute(calls.consume("x")))
    assert world.asked == ["a", "b", "b"]
    keys = world.keys()
    assert keys[0] == keys[2]


@pytest.mark.parametrize(
    "call",
    [
        calls.get_policy("x"),
        calls.delete_agent("x"),
        calls.settle("h", 3),
        calls.put_key("k", b"v", None, None, None, None),
        calls.record_usage([UsageEvent("x", "m")]),
    ],
    ids=lambda call: f"{call.method} {call.path}",
)
def test_what_is_safe_to_repeat_is_repeated(call: calls.Call[Any]) -> None:
    body = {"capacity": 1, "refill_rate": 1, "interval_seconds": 1}
    world = World(lambda r: lost(r) if r.url.host == "a" else answer(200, body))
    world.run(world.core.execute(call))
    assert world.asked == ["a", "b"]


def test_a_conditional_write_is_not_repeated_blindly() -> None:
    world = World(lambda r: lost(r) if r.method == "PUT" else answer(200, ""))
    with pytest.raises(APIConnectionError):
        world.run(world.core.execute(calls.put_key("k", b"", None, None, '"v1"', None)))
    assert [r.method for r in world.requests] == ["PUT", "GET"]


def test_a_timeout_is_a_connection_error_of_its_own_kind() -> None:
    world = World(lambda r: httpx2.ReadTimeout("slow", request=r), urls=("http://a",), max_retries=0)
    with pytest.raises(APITimeoutError):
        world.run(world.core.execute(calls.get_agent("x")))


def test_a_pool_without_room_says_nothing_about_the_node() -> None:
    world = World(lambda r: httpx2.PoolTimeout("full", request=r), urls=("http://a",), max_retries=0)
    with pytest.raises(APITimeoutError):
        world.run(world.core.execute(calls.get_agent("x")))
    assert world.core.endpoints.usable()


def test_a_node_that_cannot_now_is_waited_for_as_it_says() -> None:
    answers = iter([answer(503, {"title": "draining"}, retry_after="2"), None])
    world = World(lambda r: next(answers) or decision(r), urls=("http://a",))
    assert world.run(world.core.execute(calls.consume("x"), at_once=True))
    assert len(world.pauses) == 1
    assert 2 <= world.pauses[0] <= 2.2


def test_another_node_is_asked_before_one_is_waited_for() -> None:
    world = World(lambda r: answer(503, {}, retry_after="2") if r.url.host == "a" else decision(r))
    assert world.run(world.core.execute(calls.consume("x")))
    assert world.pauses == []


def test_a_wait_that_is_too_long_is_the_callers() -> None:
    world = World(lambda r: answer(503, {}, retry_after="600"), urls=("http://a",))
    with pytest.raises(InternalServerError) as caught:
        world.run(world.core.execute(calls.consume("x")))
    assert caught.value.retry_after == 600
    assert world.pauses == []


def test_a_fault_without_a_time_goes_to_the_fallback_at_once() -> None:
    world = World(lambda r: answer(500, {}), urls=("http://a",))
    with pytest.raises(InternalServerError):
        world.run(world.core.execute(calls.consume("x"), at_once=True))
    assert world.pauses == []
    with pytest.raises(InternalServerError):
        world.run(world.core.execute(calls.get_agent("x")))
    assert len(world.pauses) == 2


def test_what_is_in_between_may_have_passed_it_on() -> None:
    world = World(lambda r: answer(504, {}), urls=("http://a",))
    with pytest.raises(InternalServerError):
        world.run(world.core.execute(calls.consume("x")))
    assert len(world.requests) == 1


def test_a_limit_on_calls_is_not_a_decision() -> None:
    answers = iter([answer(429, {"title": "too fast"}, retry_after_ms="300"), None])
    world = World(lambda r: next(answers) or decision(r), urls=("http://a",))
    assert world.run(world.core.execute(calls.consume("x")))
    assert 0.3 <= world.pauses[0] <= 0.33


def test_a_first_try_under_way_is_waited_for() -> None:
    answers = iter([answer(409, {}, retry_after="1"), None])
    world = World(lambda r: next(answers) or decision(r), urls=("http://a",))
    assert world.run(world.core.execute(calls.consume("x")))
    assert len(set(world.keys())) == 1


def test_the_server_has_the_last_word_on_retries() -> None:
    world = World(lambda r: answer(503, {}, x_should_retry="false"))
    with pytest.raises(InternalServerError):
        world.run(world.core.execute(calls.consume("x")))
    assert len(world.requests) == 1
    world = World(lambda r: answer(418, {}, x_should_retry="true"), max_retries=1)
    with pytest.raises(APIStatusError):
        world.run(world.core.execute(calls.consume("x")))
    assert len(world.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (412, PreconditionFailedError),
        (413, APIStatusError),
        (422, UnprocessableEntityError),
        (429, RateLimitError),
        (500, InternalServerError),
        (301, APIStatusError),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[APIStatusError]) -> None:
    problem = {"title": "No", "detail": "because", "field": "tokens", "request_id": "r1", "violated-policies": ["p"]}
    world = World(lambda r: answer(status, problem), max_retries=0, urls=("http://a",))
    with pytest.raises(kind) as caught:
        world.run(world.core.execute(calls.consume("x")))
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.field, error.request_id) == (status, "tokens", "r1")
    assert "because" in str(error)
    if isinstance(error, RateLimitError):
        assert error.violated_policies == ("p",)
        assert isinstance(error, RuntimeError)


def test_an_answer_that_is_no_problem_document_still_says_something() -> None:
    world = World(lambda r: httpx2.Response(502, text="<html>bad gateway"), max_retries=0, urls=("http://a",))
    with pytest.raises(InternalServerError, match="bad gateway"):
        world.run(world.core.execute(calls.get_agent("x")))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"not json", b'{"allowed":true}', b"null"])
def test_an_answer_that_cannot_be_read_is_an_error_of_ours(content: bytes) -> None:
    world = World(lambda r: httpx2.Response(200, content=content), urls=("http://a",))
    with pytest.raises(APIStatusError, match="cannot be read"):
        world.run(world.core.execute(calls.consume("x")))


def test_members_that_are_new_are_no_error() -> None:
    world = World(lambda r: decision(r, shadow_denied=False, limits=[{"name": "day"}]))
    assert world.run(world.core.execute(calls.consume("x"))).remaining == 10


def test_what_a_node_does_not_have_is_remembered_for_a_minute() -> None:
    world = World(lambda r: answer(404, {"detail": "no such route"}))
    with pytest.raises(FeatureUnavailableError):
        world.run(world.core.execute(calls.reserve("x", 5)))
    assert world.core.lacks("holds")
    world.clock.advance(61)
    assert not world.core.lacks("holds")
    with pytest.raises(NotFoundError) as caught:
        world.run(world.core.execute(calls.get_policy("x")))
    assert not isinstance(caught.value, FeatureUnavailableError)


def test_requests_carry_who_is_asking() -> None:
    world = World(decision, api_key="s3cret")
    world.run(world.core.execute(calls.consume("a/b c%é", 3)))
    request = world.requests[0]
    assert request.url.raw_path == b"/v1/agents/a%2Fb%20c%25%C3%A9/consume"
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["user-agent"].startswith("openclaw-rating-sdk/")
    assert request.headers["idempotency-key"].startswith('"')
    assert request.extensions["timeout"]["connect"] == 1.0


def test_names_that_are_path_tricks_stay_names() -> None:
    assert calls.segment("..") == "%2E%2E"
    assert calls.segment(".") == "%2E"
    assert calls.segment("../../etc") == "..%2F..%2Fetc"
    with pytest.raises(ValueError, match="empty"):
        calls.segment("")


def test_retry_after_in_all_its_forms() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    date = format_datetime(now, usegmt=True)

    def read(**headers: str) -> float | None:
        return retry_after(answer(503, {}, **headers))

    assert read() is None
    assert read(retry_after="7") == 7
    assert read(retry_after_ms="1500", retry_after="7") == 1.5
    assert read(retry_after=later, date=date) == 90
    assert read(retry_after=date, date=later) is None
    assert read(retry_after="soon") is None
    assert read(retry_after="-1") is None
    assert read(retry_after="1e9") is None
    assert read(retry_after="nan") is None


@pytest.mark.parametrize("tokens", [0, -1, True, 1.5, "3"])
def test_tokens_are_whole_and_positive(tokens: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        calls.consume("x", tokens)  # type: ignore[arg-type]
