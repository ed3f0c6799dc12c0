"""Calling a model through an OpenAI-compatible interface, metered: keep, call, settle by what it says it used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from . import _calls as calls
from . import _holds as holds
from ._errors import ConfigurationError, UpstreamError
from ._flow import Close, Flow, Send
from ._local import SECOND
from ._models import Completion, InlinePolicy, TokenUsage, UsageEvent
from ._observe import ModelCall
from ._usage import estimate, member, merged, usage_of

if TYPE_CHECKING:
    from ._core import Core

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of a model: what to ask, and whose tokens it costs."""

    model: str
    messages: tuple[Message, ...]
    agent: str | None
    policy: InlinePolicy | None
    tokens: int
    max_tokens: int | None
    record_usage: bool
    timeout: httpx2.Timeout | None
    extra: Mapping[str, Any]


def ask(
    core: Core,
    *,
    model: str,
    prompt: str | None,
    messages: Sequence[Message] | None,
    agent: str | None,
    policy: InlinePolicy | None,
    estimate_tokens: int | None,
    max_tokens: int | None,
    record_usage: bool,
    timeout: float | None,
    extra: Mapping[str, Any],
) -> Ask:
    """Check what was given, and fill in the rest."""
    if (prompt is None) == (messages is None):
        raise ValueError("give either prompt or messages")
    said = tuple(messages) if messages is not None else ({"role": "user", "content": prompt},)
    return Ask(
        model,
        said,
        agent or core.settings.agent,
        policy,
        calls.whole(estimate_tokens) if estimate_tokens is not None else estimate(said, max_tokens),
        max_tokens,
        record_usage,
        None if timeout is None else httpx2.Timeout(timeout, connect=min(timeout, 5.0)),
        extra,
    )


def _request(core: Core, call: Ask, *, stream: bool) -> httpx2.Request:
    settings = core.settings
    if settings.ai_url is None:
        raise ConfigurationError(
            "no model interface is configured: give ai_base_url, or set OPENCLAW_AI_URL or OPENAI_BASE_URL"
        )
    body: dict[str, Any] = {"model": call.model, "messages": [dict(one) for one in call.messages]}
    if call.max_tokens is not None:
        body["max_tokens"] = call.max_tokens
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(call.extra)
    headers = {"Content-Type": "application/json"}
    if settings.ai_key:
        headers["Authorization"] = f"Bearer {settings.ai_key}"
    return httpx2.Request(
        "POST",
        f"{settings.ai_url}/chat/completions",
        headers=headers,
        content=calls.encode(body),
        extensions={"timeout": (call.timeout or settings.ai_timeout).as_dict()},
    )


def invoke(core: Core, call: Ask) -> Flow[Completion]:
    """Ask a model and wait for the whole answer."""
    request = _request(core, call, stream=False)
    held = yield from _reserve(core, call)
    meter = Meter(core, call, held)
    try:
        response = yield from _send(request, stream=False)
        completion = _completion(response)
    except UpstreamError as exc:
        if held is not None:
            yield from holds.cancel(core, held)
        meter.ended(error=exc)
        raise
    except BaseException as exc:
        meter.broken_off(exc)
        raise
    meter.saw(completion["raw"])
    meter.ended()
    if held is not None:
        settled = yield from holds.settle(core, held, meter.cost)
        completion["charged"] = settled.charged
    return completion


def open_stream(core: Core, call: Ask) -> Flow[tuple[httpx2.Response, Meter]]:
    """Ask a model; the answer is read by the caller, and each line of it goes to the meter."""
    request = _request(core, call, stream=True)
    held = yield from _reserve(core, call)
    meter = Meter(core, call, held)
    try:
        response = yield from _send(request, stream=True)
    except UpstreamError as exc:
        if held is not None:
            yield from holds.cancel(core, held)
        meter.ended(error=exc)
        raise
    except BaseException as exc:
        meter.broken_off(exc)
        raise
    return response, meter


def _reserve(core: Core, call: Ask) -> Flow[holds.Held | None]:
    if call.agent is None:
        return None
    return (yield from holds.reserve(core, call.agent, call.tokens, call.policy))


def _send(request: httpx2.Request, *, stream: bool) -> Flow[httpx2.Response]:
    try:
        response: httpx2.Response = yield Send(request, stream)
    except httpx2.TransportError as exc:
        raise UpstreamError(f"{request.url}: {exc or type(exc).__name__}") from exc
    if response.status_code >= 300:
        if stream:
            yield Close(response)
        body = "" if stream else response.text[:1000]
        raise UpstreamError(
            f"{request.url}: {response.status_code} {body[:200]}".rstrip(), status_code=response.status_code, body=body
        )
    return response


def _completion(response: httpx2.Response) -> Completion:
    try:
        raw = json.loads(response.content)
        choice = raw["choices"][0]
        return Completion(
            text=_text(choice.get("message") or {}),
            model=str(raw.get("model", "")),
            finish_reason=choice.get("finish_reason"),
            usage=usage_of(raw),
            charged=None,
            raw=raw,
        )
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        raise UpstreamError(
            f"{response.url}: the answer cannot be read: {exc!r}",
            status_code=response.status_code,
            body=response.text[:1000],
        ) from exc


def _text(message: Any) -> str:
    """The text of a message, whose content may be a string or a list of parts."""
    content = member(message, "content")
    if isinstance(content, list):
        return "".join(str(member(part, "text") or "") for part in content)
    return content or ""


class Meter:
    """Adds up what a call of a model costs, and tells those who want to know when it ends."""

    def __init__(self, core: Core, call: Ask, held: holds.Held | None) -> None:
        self._core = core
        self._call = call
        self._started = core.now()
        self._text_bytes = 0
        self._done = False
        self.held = held
        self.usage: TokenUsage | None = None
        self.model: str | None = None
        self.finish_reason: str | None = None

    @property
    def cost(self) -> int:
        """Tokens to settle with: what the model says, else what can be counted, else the estimate."""
        if self.usage is not None:
            return self.usage.total
        if self._text_bytes:
            return estimate(self._call.messages, -(-self._text_bytes // 4))
        return self._call.tokens

    def saw(self, answer: Any) -> str:
        """Take in an answer or a chunk of one; returns the new text of a chunk."""
        self.usage = merged(self.usage, usage_of(answer))
        self.model = member(answer, "model") or self.model
        text = ""
        for choice in member(answer, "choices") or ():
            self.finish_reason = member(choice, "finish_reason") or self.finish_reason
            text += _text(member(choice, "delta"))
        self._text_bytes += len(text.encode())
        return text

    def line(self, line: str) -> str:
        """Take in one line of a stream of server-sent events; returns the new text."""
        if not line.startswith("data:"):
            return ""
        data = line[5:].strip()
        if data == "[DONE]":
            return ""
        try:
            chunk = json.loads(data)
        except ValueError as exc:
            raise UpstreamError(f"the stream cannot be read: {data[:200]}") from exc
        if error := member(chunk, "error"):
            raise UpstreamError(f"the stream broke off: {error}")
        return self.saw(chunk)

    def ended(self, error: BaseException | None = None) -> None:
        """The call is over. Says so once."""
        if self._done:
            return
        self._done = True
        core, call = self._core, self._call
        core.note_model_call(
            ModelCall(
                call.model,
                call.agent,
                (core.now() - self._started) / SECOND,
                self.usage,
                self.model,
                self.finish_reason,
                None if error is None else type(error).__name__,
            )
        )
        wanted = call.record_usage and error is None and not core.lacks("usage")
        if wanted and call.agent is not None and self.usage is not None:
            core.report(calls.record_usage([event(call.agent, self.model or call.model, self.usage)]))

    def broken_off(self, error: BaseException | None = None) -> None:
        """The caller went away: settle what came so far, without waiting for anything."""
        self.ended(error)
        if self.held is not None:
            got_something = self.usage is not None or self._text_bytes
            holds.abandon(self._core, self.held, self.cost if got_something else 0)


def event(agent: str, model: str, usage: TokenUsage) -> UsageEvent:
    """The usage event of a call."""
    return UsageEvent(
        agent, model, usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_tokens
    )
