"""Client objects of OpenAI's and Anthropic's packages, and of what looks like them, with their calls metered.

    client = wrap_openai(openai.OpenAI(), bucket, agent="agent:42:tokens")
    client.chat.completions.create(model="gpt-4", messages=[...])

What is returned behaves like the client that was given. A call that costs tokens reserves an estimate first, and is
settled with the usage its answer states. Awaiting clients go with an `AsyncTokenBucket`, blocking ones with a
`TokenBucket`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .._local import SECOND
from .._models import TokenUsage
from .._observe import ModelCall
from .._sync.bucket import TokenBucket
from .._usage import estimate, member, merged, text_bytes, usage_of

if TYPE_CHECKING:
    from .._async.bucket import AsyncReservation, AsyncTokenBucket
    from .._sync.bucket import Reservation

__all__ = ["wrap_anthropic", "wrap_openai"]

ClientT = TypeVar("ClientT")
Agent = str | Callable[[Mapping[str, Any]], str]

OPENAI_CALLS = frozenset(
    {"chat.completions.create", "completions.create", "responses.create", "embeddings.create", "chat.completions.parse"}
)
ANTHROPIC_CALLS = frozenset({"messages.create", "beta.messages.create"})
SAME_CLIENT = frozenset({"with_options", "copy"})
PROMPTS = ("messages", "input", "prompt", "system", "instructions", "tools")


def wrap_openai(
    client: ClientT, bucket: TokenBucket | AsyncTokenBucket, agent: Agent, *, default_output: int = 512
) -> ClientT:
    """A client like `openai.OpenAI` or `openai.AsyncOpenAI`, metered.

    Args:
        client: chat completions, responses, completions and embeddings of it are metered, streams included.
        bucket: what limits them.
        agent: whose tokens; or a function of the arguments of the call.
        default_output: tokens of an answer to reserve when the call does not bound it.
    """
    return _wrap(client, _Meter(bucket, agent, default_output, OPENAI_CALLS))


def wrap_anthropic(
    client: ClientT, bucket: TokenBucket | AsyncTokenBucket, agent: Agent, *, default_output: int = 512
) -> ClientT:
    """A client like `anthropic.Anthropic` or `anthropic.AsyncAnthropic`, metered: `messages.create`, streams included.

    The arguments are those of `wrap_openai`.
    """
    return _wrap(client, _Meter(bucket, agent, default_output, ANTHROPIC_CALLS))


def _wrap(client: ClientT, meter: _Meter) -> ClientT:
    proxy: Any = _Proxy(client, "", meter)
    return proxy  # type: ignore[no-any-return]


class _Proxy:
    """Part of a client: hands on everything but the calls that are metered."""

    def __init__(self, target: Any, path: str, meter: _Meter) -> None:
        self.__dict__.update(_target=target, _path=path, _meter=meter)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        meter: _Meter = self._meter
        path = f"{self._path}.{name}" if self._path else name
        if path in meter.calls:
            return meter.metered(value)
        if any(one.startswith(path + ".") for one in meter.calls):
            return _Proxy(value, path, meter)
        if not self._path and name in SAME_CLIENT:
            return lambda *args, **kwargs: _Proxy(value(*args, **kwargs), "", meter)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def __repr__(self) -> str:
        return f"metered {self._target!r}"

    def __enter__(self) -> _Proxy:
        self._target.__enter__()
        return self

    def __exit__(self, *how: Any) -> Any:
        return self._target.__exit__(*how)

    async def __aenter__(self) -> _Proxy:
        await self._target.__aenter__()
        return self

    async def __aexit__(self, *how: Any) -> Any:
        return await self._target.__aexit__(*how)


class _Meter:
    def __init__(
        self, bucket: TokenBucket | AsyncTokenBucket, agent: Agent, default_output: int, calls: frozenset[str]
    ) -> None:
        self.bucket = bucket
        self.agent = agent
        self.default_output = default_output
        self.calls = calls

    def metered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(self.bucket, TokenBucket):
            return self._blocking(self.bucket, function)
        return self._awaiting(self.bucket, function)

    def _blocking(self, bucket: TokenBucket, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            tally = _Tally(self, kwargs)
            reservation = bucket.reserve(tally.agent, tally.estimate)
            try:
                answer = function(*args, **tally.kwargs)
                if inspect.isawaitable(answer):
                    _drop(answer)
                    raise TypeError("this client awaits: meter it with an AsyncTokenBucket")
            except Exception as exc:
                reservation.cancel()
                tally.ended(exc)
                raise
            except BaseException as exc:
                reservation.abandon()
                tally.ended(exc)
                raise
            if kwargs.get("stream"):
                return _Stream(answer, tally, reservation)
            reservation.settle(tally.cost(answer))
            tally.ended()
            return answer

        return call

    def _awaiting(self, bucket: AsyncTokenBucket, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            tally = _Tally(self, kwargs)
            reservation = await bucket.reserve(tally.agent, tally.estimate)
            try:
                answer = await function(*args, **tally.kwargs)
            except Exception as exc:
                await reservation.cancel()
                tally.ended(exc)
                raise
            except BaseException as exc:
                reservation.abandon()
                tally.ended(exc)
                raise
            if kwargs.get("stream"):
                return _AsyncStream(answer, tally, reservation)
            await reservation.settle(tally.cost(answer))
            tally.ended()
            return answer

        return call


def _drop(awaitable: Any) -> None:
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()


class _Tally:
    """What one call costs, as far as it is known."""

    def __init__(self, meter: _Meter, kwargs: dict[str, Any]) -> None:
        self._core = meter.bucket.client._core
        self._started = self._core.now()
        self._model = str(kwargs.get("model", ""))
        self._prompt = {name: kwargs[name] for name in PROMPTS if name in kwargs}
        self._text_bytes = 0
        self._done = False
        self.agent = meter.agent(kwargs) if callable(meter.agent) else meter.agent
        bound = kwargs.get("max_tokens") or kwargs.get("max_completion_tokens") or kwargs.get("max_output_tokens")
        self.estimate = estimate(self._prompt, bound if isinstance(bound, int) else None, meter.default_output)
        self.usage: TokenUsage | None = None
        self.kwargs = kwargs
        # A chat's stream says what it used only when asked to, in a last chunk without text.
        self.asked_for_usage = bool(
            kwargs.get("stream") and "messages" in kwargs and "chat.completions.create" in meter.calls
        ) and not kwargs.get("stream_options")
        if self.asked_for_usage:
            self.kwargs = {**kwargs, "stream_options": {"include_usage": True}}

    def cost(self, answer: Any) -> int:
        self.usage = merged(self.usage, usage_of(answer))
        return self.estimate if self.usage is None else self.usage.total

    def saw(self, chunk: Any) -> bool:
        """Take in a chunk. False when the caller did not ask for it."""
        news = usage_of(chunk)
        self.usage = merged(self.usage, news)
        self._text_bytes += _chunk_bytes(chunk)
        return not (self.asked_for_usage and news is not None and member(chunk, "choices") == [])

    @property
    def so_far(self) -> int:
        if self.usage is not None and self.usage.output_tokens:
            return self.usage.total
        if self._text_bytes:
            return estimate(self._prompt, -(-self._text_bytes // 4))
        return 0 if self.usage is None else self.usage.total

    def ended(self, error: BaseException | None = None) -> None:
        if self._done:
            return
        self._done = True
        seconds = (self._core.now() - self._started) / SECOND
        kind = None if error is None else type(error).__name__
        self._core.note_model_call(ModelCall(self._model, self.agent, seconds, self.usage, error=kind))


def _chunk_bytes(chunk: Any) -> int:
    delta = member(chunk, "delta")
    if isinstance(delta, str):  # a response's event
        return len(delta.encode())
    if delta is not None:  # a message's event
        return text_bytes(member(delta, "text") or "")
    return sum(
        text_bytes(member(member(choice, "delta"), "content") or "") for choice in member(chunk, "choices") or ()
    )


class _Stream:
    """A stream of chunks, settled when it ends, is closed, or breaks off."""

    def __init__(self, stream: Any, tally: _Tally, reservation: Reservation) -> None:
        self._stream, self._tally, self._reservation = stream, tally, reservation

    def __iter__(self) -> Iterator[Any]:
        try:
            for chunk in self._stream:
                if self._tally.saw(chunk):
                    yield chunk
            self._reservation.settle(self._tally.so_far or self._tally.estimate)
            self._tally.ended()
        except BaseException as exc:
            self._leave(None if isinstance(exc, GeneratorExit) else exc)
            raise

    def _leave(self, error: BaseException | None = None) -> None:
        self._reservation.abandon(self._tally.so_far)
        self._tally.ended(error)

    def close(self) -> None:
        self._stream.close()
        self._leave()

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _AsyncStream:
    """A stream of chunks, settled when it ends, is closed, or breaks off."""

    def __init__(self, stream: Any, tally: _Tally, reservation: AsyncReservation) -> None:
        self._stream, self._tally, self._reservation = stream, tally, reservation

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for chunk in self._stream:
                if self._tally.saw(chunk):
                    yield chunk
            await self._reservation.settle(self._tally.so_far or self._tally.estimate)
            self._tally.ended()
        except BaseException as exc:
            self._leave(None if isinstance(exc, GeneratorExit) else exc)
            raise

    def _leave(self, error: BaseException | None = None) -> None:
        self._reservation.abandon(self._tally.so_far)
        self._tally.ended(error)

    async def close(self) -> None:
        await self._stream.close()
        self._leave()

    async def __aenter__(self) -> _AsyncStream:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
