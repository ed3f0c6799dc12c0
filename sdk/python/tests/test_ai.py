"""Calls of models: a real HTTP upstream, a real node."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx2
import pytest

from openclaw_rating import (
    AsyncOpenClawClient,
    ConfigurationError,
    ModelCall,
    Observer,
    OpenClawClient,
    RateLimitError,
    TokenBucket,
    TokenUsage,
    UpstreamError,
)
from openclaw_rating.testing import ClawdProcess, FakeUpstream, Reply
from waiting import PATIENT, eventually, eventually_async


class Calls(Observer):
    def __init__(self) -> None:
        self.seen: list[ModelCall] = []

    def on_model_call(self, call: ModelCall) -> None:
        self.seen.append(call)


@pytest.fixture
def ai(clawd: ClawdProcess, upstream: FakeUpstream) -> Iterator[OpenClawClient]:
    with OpenClawClient(base_url=clawd.url, timeout=PATIENT, ai_base_url=upstream.url, ai_api_key="sk-test") as client:
        yield client


def used(client: OpenClawClient, key: str) -> int:
    agent = client.agents.get(key)
    return agent.consumed - agent.refunded


def test_an_answer(ai: OpenClawClient, upstream: FakeUpstream) -> None:
    response = ai.invoke_ai(prompt="Hi", model="gpt-4", temperature=0.5)
    assert response["text"] == "Hello there, general."
    assert response["usage"] == TokenUsage(9, 5)
    assert (response["model"], response["finish_reason"], response["charged"]) == ("gpt-4-0001", "stop", None)
    asked = upstream.requests[0]
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer sk-test"
    assert asked.body == {
        "model": "gpt-4",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
    }


def test_an_agent_pays_for_what_the_model_says_it_used(ai: OpenClawClient, upstream: FakeUpstream, key: str) -> None:
    bucket = TokenBucket(client=ai, capacity=1000)
    upstream.gate.clear()
    worker = threading.Thread(
        target=ai.invoke_ai, kwargs={"prompt": "Hi", "model": "m", "agent": key, "bucket": bucket}
    )
    worker.start()
    eventually(lambda: bool(upstream.requests))
    assert used(ai, key) == 514  # six bytes of prompt, and an answer that may be 512 tokens long
    upstream.gate.set()
    worker.join()
    assert used(ai, key) == 14
    assert ai.invoke_ai(prompt="Hi", model="m", agent=key, bucket=bucket, max_tokens=20)["charged"] == 14
    upstream.reply = Reply(input_tokens=None)  # an interface that does not say
    assert ai.invoke_ai(prompt="Hi", model="m", agent=key, bucket=bucket, estimate=30)["charged"] == 30


def test_a_denied_call_is_not_made(ai: OpenClawClient, upstream: FakeUpstream, key: str) -> None:
    bucket = TokenBucket(client=ai, capacity=100, refill_rate=1, interval_seconds=3600)
    assert bucket.consume(key, 90)
    with pytest.raises(RateLimitError):
        ai.invoke_ai(prompt="Hi", model="m", agent=key, bucket=bucket, max_tokens=50)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "reply", [Reply(status=500), Reply(status=429), Reply(break_after=0), Reply(status=302)], ids=str
)
def test_a_failed_call_costs_nothing(ai: OpenClawClient, upstream: FakeUpstream, key: str, reply: Reply) -> None:
    calls = Calls()
    ai.add_observer(calls)
    upstream.reply = reply
    with pytest.raises(UpstreamError) as caught:
        ai.invoke_ai(prompt="Hi", model="m", agent=key)
    assert caught.value.status_code == (None if reply.break_after == 0 else reply.status)
    assert used(ai, key) == 0
    with pytest.raises(UpstreamError):
        list(ai.stream_ai(prompt="Hi", model="m", agent=key))
    assert used(ai, key) == 0
    assert [call.error for call in calls.seen] == ["UpstreamError"] * 2


def test_an_answer_that_makes_no_sense_is_an_error_and_costs_nothing(clawd: ClawdProcess, key: str) -> None:
    with (
        httpx2.Client(transport=_Split(b'{"choices": []}')) as http,
        OpenClawClient(base_url=clawd.url, ai_base_url="http://model/v1", http_client=http) as ai,
    ):
        with pytest.raises(UpstreamError, match="cannot be read"):
            ai.invoke_ai(prompt="Hi", model="m", agent=key)
        assert used(ai, key) == 0


class _Split(httpx2.BaseTransport):
    """The model answers one thing always, the rest goes where it should."""

    def __init__(self, content: bytes) -> None:
        self._real, self._content = httpx2.HTTPTransport(), content

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "model":
            return httpx2.Response(200, content=self._content)
        return self._real.handle_request(request)

    def close(self) -> None:
        self._real.close()


def test_a_stream_is_settled_with_what_it_says(ai: OpenClawClient, upstream: FakeUpstream, key: str) -> None:
    assert "".join(ai.stream_ai(prompt="Hi", model="m", agent=key)) == "Hello there, general. "
    assert upstream.requests[0].body["stream_options"] == {"include_usage": True}
    assert used(ai, key) == 14
    upstream.reply = Reply(text="four", input_tokens=None)
    assert list(ai.stream_ai(prompt="1234" * 10, model="m", agent=key)) == ["four "]
    assert used(ai, key) == 14 + 11 + 2  # "user" and 40 bytes went, and 5 bytes came


def test_a_stream_that_is_left_or_breaks_pays_for_what_came(
    ai: OpenClawClient, upstream: FakeUpstream, key: str
) -> None:
    for word in ai.stream_ai(prompt="Hi", model="m", agent=key):
        assert word
        break
    eventually(lambda: 0 < used(ai, key) < 10)
    before = used(ai, key)
    upstream.reply = Reply(break_after=2)
    with pytest.raises(UpstreamError, match="broke off"):
        list(ai.stream_ai(prompt="Hi", model="m", agent=key))
    eventually(lambda: before < used(ai, key) < 20)


def test_it_says_what_is_missing(clawd: ClawdProcess) -> None:
    with OpenClawClient(base_url=clawd.url) as client:
        with pytest.raises(ConfigurationError, match="OPENCLAW_AI_URL"):
            client.invoke_ai(prompt="Hi", model="m")
        with pytest.raises(ValueError, match="model"):
            client.invoke_ai(prompt="Hi")
        with pytest.raises(ValueError, match="either"):
            client.invoke_ai(model="m")


def test_a_key_goes_only_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    monkeypatch.setenv("OPENCLAW_AI_URL", "http://somewhere/v1")
    assert OpenClawClient()._core.settings.ai_key is None
    monkeypatch.delenv("OPENCLAW_AI_URL")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://theirs/v1/")
    settings = OpenClawClient()._core.settings
    assert (settings.ai_url, settings.ai_key) == ("http://theirs/v1", "sk-theirs")
    assert OpenClawClient(ai_base_url="http://mine")._core.settings.ai_key is None


def test_the_clawd_key_is_not_sent_to_the_model(clawd: ClawdProcess, upstream: FakeUpstream) -> None:
    with OpenClawClient("claw-secret", clawd.url, ai_base_url=upstream.url) as client:
        client.invoke_ai(prompt="Hi", model="m")
    assert "claw-secret" not in json.dumps(upstream.requests[0].headers)


def test_awaiting(clawd: ClawdProcess, upstream: FakeUpstream, key: str) -> None:
    async def run() -> None:
        async with AsyncOpenClawClient(base_url=clawd.url, timeout=PATIENT, ai_base_url=upstream.url, agent=key) as ai:
            assert (await ai.invoke_ai(prompt="Hi", model="m"))["charged"] == 14
            assert [word async for word in ai.stream_ai(prompt="Hi", model="m")]
            agent = await ai.agents.get(key)
            assert agent.consumed - agent.refunded == 28
            upstream.gate.clear()
            task = asyncio.create_task(ai.invoke_ai(prompt="Hi", model="m"))

            async def asked() -> bool:
                return len(upstream.requests) == 3

            await eventually_async(asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ai.flush()
            agent = await ai.agents.get(key)
            assert agent.consumed - agent.refunded == 28

    asyncio.run(run())


def test_how_calls_went_is_fed_back_in_batches(upstream: FakeUpstream) -> None:
    bodies: list[dict[str, object]] = []

    def node(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/feedback":
            bodies.append(json.loads(request.content))
            return httpx2.Response(204)
        if request.url.path.startswith("/v1/chat"):
            return httpx2.Response(500) if bodies else httpx2.Response(200, json=_chat())
        return httpx2.Response(404, json={})

    with (
        httpx2.Client(transport=httpx2.MockTransport(node)) as http,
        OpenClawClient(base_url="http://node", ai_base_url="http://model/v1", http_client=http) as ai,
    ):
        for _ in range(3):
            ai.invoke_ai(prompt="Hi", model="m", agent=None)
        assert bodies == []  # nobody knows whose calls these were
        ai._core.note_model_call(ModelCall("m", "a", 0.5))
        ai._core.note_model_call(ModelCall("m", "a", 0.25, error="UpstreamError"))
        ai._core.note_model_call(ModelCall("m", "b", 1.0))
        eventually(lambda: len(bodies) == 1)
    reports = bodies[0]["reports"]
    assert isinstance(reports, list)
    by_agent = {one["agent"]: one for one in reports}
    assert (by_agent["a"]["requests"], by_agent["a"]["errors"], by_agent["a"]["latency_ms_sum"]) == (2, 1, 750.0)
    assert by_agent["b"]["window_seconds"] >= 1


def _chat() -> dict[str, object]:
    return {"model": "m", "choices": [{"message": {"content": "x"}}]}


def test_usage_is_recorded_where_it_can_be(key: str) -> None:
    events: list[dict[str, object]] = []

    def node(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/usage":
            events.append(json.loads(request.content))
            return httpx2.Response(200, json={"event_id": "e", "total": "0.06", "currency": "USD", "items": []})
        if request.url.path.startswith("/v1/chat"):
            return httpx2.Response(200, json={**_chat(), "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
        if request.url.path.endswith("/reservations"):
            return httpx2.Response(201, json={"id": "h", "allowed": True, "agent": key, "tokens": 9, "remaining": 1})
        return httpx2.Response(200, json={"id": "h", "state": "settled", "charged": 7})

    with (
        httpx2.Client(transport=httpx2.MockTransport(node)) as http,
        OpenClawClient(base_url="http://node", ai_base_url="http://model/v1", http_client=http) as ai,
    ):
        assert ai.invoke_ai(prompt="Hi", model="m", agent=key, record_usage=True)["charged"] == 7
        eventually(lambda: len(events) == 1)
    assert events[0]["input_tokens"] == 3
    assert events[0]["output_tokens"] == 4
    assert events[0]["event_id"]
