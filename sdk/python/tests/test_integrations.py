"""Other people's real packages, metered: a real node, a real HTTP double of the model's interface."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Iterable
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from fastapi import FastAPI, Request
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.rate_limiters import BaseRateLimiter

from openclaw_rating import (
    AsyncOpenClawClient,
    AsyncTokenBucket,
    OpenClawClient,
    RateLimitError,
    TokenBucket,
    TokenUsage,
    usage_of,
)
from openclaw_rating.integrations import (
    LangChainRateLimiter,
    RateLimitMiddleware,
    WSGIRateLimitMiddleware,
    litellm_callback,
    wrap_anthropic,
    wrap_openai,
)
from openclaw_rating.testing import ClawdProcess, FakeUpstream, Reply
from waiting import PATIENT, eventually

MESSAGES: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def aclient(clawd: ClawdProcess) -> AsyncIterator[AsyncOpenClawClient]:
    async with AsyncOpenClawClient(base_url=clawd.url, timeout=PATIENT) as client:
        yield client


@pytest.fixture
def abucket(aclient: AsyncOpenClawClient) -> AsyncTokenBucket:
    return AsyncTokenBucket(client=aclient, capacity=1000, refill_rate=1, interval_seconds=3600)


@pytest.fixture
def large(client: OpenClawClient) -> TokenBucket:
    return TokenBucket(client=client, capacity=1000, refill_rate=1, interval_seconds=3600)


def used(client: OpenClawClient, key: str) -> int:
    agent = client.agents.get(key)
    return agent.consumed - agent.refunded


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def test_openai(large: TokenBucket, upstream: FakeUpstream, key: str) -> None:
    with openai.OpenAI(api_key="sk", base_url=upstream.url, max_retries=0) as plain:
        ai = wrap_openai(plain, large, agent=lambda kwargs: key)
        answer = ai.chat.completions.create(model="gpt-4", messages=MESSAGES)
        assert answer.choices[0].message.content == "Hello there, general."
        assert used(large.client, key) == 14
        words = [
            chunk.choices[0].delta.content
            for chunk in ai.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        ]
        assert words[0] == "Hello "
        assert used(large.client, key) == 28  # it asked for the usage, and kept the chunk that has it to itself
        assert str(ai.base_url) == upstream.url + "/"
        assert used(large.client, key) == 28
        upstream.reply = Reply(status=500)
        with pytest.raises(openai.InternalServerError):
            ai.with_options(timeout=5).chat.completions.create(model="m", messages=MESSAGES)
        assert used(large.client, key) == 28
        upstream.reply = Reply()
        asked = len(upstream.requests)
        with pytest.raises(RateLimitError):
            ai.chat.completions.create(model="m", messages=MESSAGES, max_tokens=980)
        assert len(upstream.requests) == asked


def test_an_openai_stream_that_is_left(large: TokenBucket, upstream: FakeUpstream, key: str) -> None:
    with openai.OpenAI(api_key="sk", base_url=upstream.url, max_retries=0) as plain:
        ai = wrap_openai(plain, large, agent=key)
        with ai.chat.completions.create(model="m", messages=MESSAGES, stream=True) as stream:
            for _ in stream:
                break
        eventually(lambda: 0 < used(large.client, key) < 10)


async def test_awaiting_openai(abucket: AsyncTokenBucket, upstream: FakeUpstream, key: str) -> None:
    async with openai.AsyncOpenAI(api_key="sk", base_url=upstream.url, max_retries=0) as plain:
        ai = wrap_openai(plain, abucket, agent=key)
        await ai.chat.completions.create(model="m", messages=MESSAGES)
        stream = await ai.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        words = [chunk.choices[0].delta.content async for chunk in stream]
        assert words[0] == "Hello "
        agent = await abucket.client.agents.get(key)
        assert agent.consumed - agent.refunded == 28


async def test_the_wrong_kind_of_bucket_says_so(large: TokenBucket, upstream: FakeUpstream, key: str) -> None:
    async with openai.AsyncOpenAI(api_key="sk", base_url=upstream.url) as plain:
        with pytest.raises(TypeError, match="AsyncTokenBucket"):
            _ = wrap_openai(plain, large, agent=key).chat.completions.create(model="m", messages=MESSAGES)
    assert used(large.client, key) == 0


# --- Anthropic --------------------------------------------------------------------------------------------------------


def test_anthropic(large: TokenBucket, upstream: FakeUpstream, key: str) -> None:
    with anthropic.Anthropic(api_key="sk", base_url=upstream.root, max_retries=0) as plain:
        ai = wrap_anthropic(plain, large, agent=key)
        message = ai.messages.create(model="claude", max_tokens=50, messages=MESSAGES)
        assert message.content[0].text == "Hello there, general."  # type: ignore[union-attr]
        assert used(large.client, key) == 14
        events = [one.type for one in ai.messages.create(model="c", max_tokens=50, messages=MESSAGES, stream=True)]
        assert events[-1] == "message_stop"
        assert used(large.client, key) == 28


async def test_awaiting_anthropic(abucket: AsyncTokenBucket, upstream: FakeUpstream, key: str) -> None:
    async with anthropic.AsyncAnthropic(api_key="sk", base_url=upstream.root, max_retries=0) as plain:
        await wrap_anthropic(plain, abucket, agent=key).messages.create(model="c", max_tokens=50, messages=MESSAGES)
    agent = await abucket.client.agents.get(key)
    assert agent.consumed - agent.refunded == 14


# --- what answers say of their usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}, TokenUsage(3, 4)),
        (
            {
                "usage": {
                    "prompt_tokens": 10, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 6},
                    "completion_tokens_details": {"reasoning_tokens": 5},
                }
            },
            TokenUsage(10, 8, 6, 0, 5),
        ),
        (
            {
                "response": {
                    "usage": {
                        "input_tokens": 10, "output_tokens": 8, "input_tokens_details": {"cached_tokens": 6},
                        "output_tokens_details": {"reasoning_tokens": 5},
                    }
                }
            },
            TokenUsage(10, 8, 6, 0, 5),
        ),
        (
            {
                "usage": {
                    "input_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2,
                    "output_tokens": 3,
                }
            },
            TokenUsage(8, 3, 5, 2),
        ),
        ({"message": {"usage": {"input_tokens": 4, "output_tokens": 1}}}, TokenUsage(4, 1)),
        ({"usage_metadata": {"input_tokens": 4, "output_tokens": 1, "total_tokens": 5}}, TokenUsage(4, 1)),
        ({"usage": {"prompt_tokens": 9, "total_tokens": 9}}, TokenUsage(9, 0)),
        ({"usage": {}}, None),
        ({"usage": None}, None),
        ({}, None),
        (None, None),
        ("text", None),
        ({"usage": {"prompt_tokens": True, "completion_tokens": "4"}}, None),
    ],
)  # fmt: skip
def test_usage_is_read(answer: Any, usage: TokenUsage | None) -> None:
    assert usage_of(answer) == usage


# --- LangChain --------------------------------------------------------------------------------------------------------


def test_langchain(client: OpenClawClient, key: str) -> None:
    bucket = TokenBucket(client=client, capacity=2, refill_rate=1, interval_seconds=3600)
    limiter = LangChainRateLimiter(key, bucket=bucket)
    assert isinstance(limiter, BaseRateLimiter)
    model = GenericFakeChatModel(messages=iter([AIMessage("one"), AIMessage("two")]), rate_limiter=limiter)
    assert model.invoke("Hi").content == "one"
    assert asyncio.run(model.ainvoke("Hi")).content == "two"
    assert limiter.acquire(blocking=False) is False
    assert LangChainRateLimiter(key, bucket=bucket, max_wait=0.01).acquire() is False
    assert client.agents.get(key).consumed == 2


async def test_awaiting_langchain(abucket: AsyncTokenBucket, key: str) -> None:
    limiter = LangChainRateLimiter(key, async_bucket=abucket, tokens=600)
    assert await limiter.aacquire()
    assert not await limiter.aacquire(blocking=False)
    with pytest.raises(TypeError):
        limiter.acquire()
    with pytest.raises(ValueError, match="bucket"):
        LangChainRateLimiter(key)


# --- LiteLLM ----------------------------------------------------------------------------------------------------------


ANSWER = {"usage": {"prompt_tokens": 9, "completion_tokens": 5}}


async def net(bucket: AsyncTokenBucket, key: str) -> int:
    await bucket.client.flush()
    agent = await bucket.client.agents.get(key)
    return agent.consumed - agent.refunded


async def test_litellms_proxy(abucket: AsyncTokenBucket, key: str) -> None:
    hooks = litellm_callback(abucket, agent=lambda data: data["user"])
    data = {"user": key, "messages": MESSAGES, "litellm_call_id": "1", "max_tokens": 40}
    assert await hooks.async_pre_call_hook(None, None, data, "completion") is data
    assert await net(abucket, key) == 42
    await hooks.async_post_call_success_hook(data, None, ANSWER)
    await hooks.async_log_success_event({"user": key, "litellm_call_id": "1"}, ANSWER, None, None)
    assert await net(abucket, key) == 14
    # A stream: its usage comes with the log.
    data["litellm_call_id"] = "2"
    await hooks.async_pre_call_hook(None, None, data, "completion")
    await hooks.async_post_call_success_hook(data, None, object())
    await hooks.async_log_success_event({"user": key, "litellm_call_id": "2"}, ANSWER, None, None)
    assert await net(abucket, key) == 28
    data["litellm_call_id"] = "3"
    await hooks.async_pre_call_hook(None, None, data, "completion")
    await hooks.async_post_call_failure_hook(data, ValueError(), None)
    await hooks.async_log_failure_event(data, None, None, None)
    assert await net(abucket, key) == 28
    data["max_tokens"] = 2000 - 1030
    data["litellm_call_id"] = "4"
    with pytest.raises(RateLimitError) as caught:
        await hooks.async_pre_call_hook(None, None, {**data, "max_tokens": 971}, "completion")
    assert caught.value.status_code == 429


async def test_litellm_as_a_library(abucket: AsyncTokenBucket, large: TokenBucket, key: str) -> None:
    hooks = litellm_callback(abucket, agent=key)
    await hooks.async_log_success_event({"litellm_call_id": "7"}, ANSWER, None, None)
    assert await net(abucket, key) == 14
    blocking = litellm_callback(large, agent=key)
    blocking.log_success_event({"litellm_call_id": "8"}, ANSWER, None, None)
    assert large.client.flush()
    assert await net(abucket, key) == 28
    with pytest.raises(TypeError, match="AsyncTokenBucket"):
        await blocking.async_pre_call_hook(None, None, {}, "completion")


def test_litellms_own_class_is_taken_when_it_is_there(large: TokenBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    class CustomLogger:
        def __init__(self) -> None:
            self.ready = True

    module = types.ModuleType("litellm.integrations.custom_logger")
    vars(module)["CustomLogger"] = CustomLogger
    monkeypatch.setitem(sys.modules, module.__name__, module)
    hooks: Any = litellm_callback(large, agent="x")
    assert isinstance(hooks, CustomLogger)
    assert hooks.ready


# --- web servers ------------------------------------------------------------------------------------------------------


async def test_asgi(aclient: AsyncOpenClawClient, key: str) -> None:
    app = FastAPI()
    app.add_middleware(
        RateLimitMiddleware,
        bucket=AsyncTokenBucket(client=aclient, capacity=2, refill_rate=1, interval_seconds=3600),
        key=lambda scope: None if scope["path"] == "/health" else key,
    )

    @app.get("/{name}")
    async def hello(name: str, request: Request) -> dict[str, Any]:
        decision = request.scope.get("state", {}).get("openclaw_decision")
        return {"name": name, "remaining": None if decision is None else decision.remaining}

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app") as http:
        assert (await http.get("/x")).json() == {"name": "x", "remaining": 1}
        assert (await http.get("/x")).status_code == 200
        denied = await http.get("/x")
        assert denied.status_code == 429
        assert denied.headers["content-type"] == "application/problem+json"
        assert 3000 < int(denied.headers["retry-after"]) <= 3600
        assert denied.json()["status"] == 429
        assert key not in denied.text
        assert (await http.get("/health")).json()["remaining"] is None


def test_wsgi(client: OpenClawClient, key: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    bucket = TokenBucket(client=client, capacity=3, refill_rate=1, interval_seconds=3600)
    limited = WSGIRateLimitMiddleware(
        app, bucket, key=lambda environ: None if environ["PATH_INFO"] == "/health" else key, tokens=lambda _: 2
    )
    with httpx2.Client(transport=httpx2.WSGITransport(app=limited), base_url="http://app") as http:
        assert http.get("/").text == "hello"
        denied = http.get("/")
        assert denied.status_code == 429
        assert int(denied.headers["retry-after"]) > 0
        assert http.get("/health").status_code == 200


def test_none_of_these_packages_is_imported() -> None:
    code = (
        "import sys, openclaw_rating, openclaw_rating.integrations, openclaw_rating.testing\n"
        "bad = {'openai', 'anthropic', 'litellm', 'langchain_core', 'prometheus_client', 'opentelemetry', 'fastapi',"
        " 'starlette', 'pytest', 'pydantic'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "src", "PATH": "/usr/bin:/bin"})
