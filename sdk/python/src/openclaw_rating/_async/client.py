"""The client of a cluster: one set of connections, one memory of which nodes are well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from .. import _ai as ai
from .. import _holds as holds
from .._core import Core
from .._drive import AsyncDriver
from .._errors import UpstreamError
from .._models import Completion
from .._settings import LocalShare, OnUnavailable, settings
from .resources import AsyncAgents, AsyncClusterView, AsyncKV, AsyncPolicies, AsyncPrices, AsyncUsage

if TYPE_CHECKING:
    from types import TracebackType

    from .. import _calls as calls
    from .._observe import Observer
    from .bucket import AsyncTokenBucket

T = TypeVar("T")


class AsyncOpenClawClient:
    """Talks to a clawd cluster. Safe for concurrent use; close it, or use it as a context manager.

    Args:
        api_key: sent as a bearer token; `OPENCLAW_API_KEY` when None. A node without keys needs none.
        base_url: one base URL, or several in order of preference (a list, or separated by commas); `OPENCLAW_URL`,
            else `http://127.0.0.1:8080`, when None. The first that is well is asked.
        timeout: seconds for one try, or an `httpx2.Timeout`. 2 s, of which 1 s to connect, when None.
        max_retries: how often a call is made again when its answer says so, or no node could be reached. Every try
            carries the same idempotency key.
        on_unavailable: what a `TokenBucket` does when no node can be reached: `local` decides by a stricter bucket in
            this process, `deny` and `allow` say the same to everything, `raise` raises.
        local_share: how much of a limit a local bucket may hand out, above 0 and at most 1; or `auto` for one part of
            as many as there are nodes, at most 0.5.
        max_local_keys: how many buckets are kept in this process, and how many agents' debts.
        agent: whose tokens `invoke_ai` uses when it is not told; `OPENCLAW_AGENT` when None.
        ai_base_url: base URL of an OpenAI-compatible interface for `invoke_ai`; `OPENCLAW_AI_URL`, else
            `OPENAI_BASE_URL`, when None.
        ai_api_key: sent to that interface; `OPENCLAW_AI_API_KEY` or `OPENAI_API_KEY`, whichever belongs to the
            variable that the URL came from, when None.
        ai_timeout: seconds for one call of a model; 120 when None.
        http_client: an `httpx2.AsyncClient` to use; it stays the caller's to close. Its own headers and base URL do not
            apply, its transport, proxies and hooks do.
        clock: nanoseconds that only go forward; for tests.

    Attributes:
        agents: consume, refund, explain, list.
        policies: who is limited how.
        kv: the key-value store.
        usage: rated usage events.
        prices: what models cost.
        cluster: the members.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | Sequence[str] | None = None,
        *,
        timeout: float | httpx2.Timeout | None = None,
        max_retries: int = 2,
        on_unavailable: OnUnavailable = "local",
        local_share: LocalShare = 0.5,
        max_local_keys: int = 10_000,
        agent: str | None = None,
        ai_base_url: str | None = None,
        ai_api_key: str | None = None,
        ai_timeout: float | httpx2.Timeout | None = None,
        http_client: httpx2.AsyncClient | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._core = Core(
            settings(
                api_key,
                base_url,
                timeout,
                max_retries,
                on_unavailable,
                local_share,
                max_local_keys,
                agent,
                ai_base_url,
                ai_api_key,
                ai_timeout,
                clock,
            )
        )
        self._driver = AsyncDriver(self._core, http_client)
        self._timeout: httpx2.Timeout | None = None
        self._retries: int | None = None
        self._attach()

    def _attach(self) -> None:
        self.agents = AsyncAgents(self)
        self.policies = AsyncPolicies(self)
        self.kv = AsyncKV(self)
        self.usage = AsyncUsage(self)
        self.prices = AsyncPrices(self)
        self.cluster = AsyncClusterView(self)

    async def _call(self, call: calls.Call[T]) -> T:
        return await self._driver.run(self._core.execute(call, timeout=self._timeout, max_retries=self._retries))

    def with_options(
        self, *, timeout: float | httpx2.Timeout | None = None, max_retries: int | None = None
    ) -> AsyncOpenClawClient:
        """The same client, with its connections and its memory, whose resources have other limits of patience.

        Decisions of buckets keep those of the client.
        """
        view = object.__new__(AsyncOpenClawClient)
        view._core, view._driver = self._core, self._driver
        view._timeout = self._timeout if timeout is None else httpx2.Timeout(timeout)
        view._retries = self._retries if max_retries is None else max_retries
        view._attach()
        return view

    # --- models -------------------------------------------------------------------------------------------------------

    async def invoke_ai(
        self,
        prompt: str | None = None,
        model: str = "",
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        agent: str | None = None,
        bucket: AsyncTokenBucket | None = None,
        estimate: int | None = None,
        max_tokens: int | None = None,
        record_usage: bool = False,
        timeout: float | None = None,
        **extra: Any,
    ) -> Completion:
        """Ask a model through the configured OpenAI-compatible interface, and return its answer.

        With an agent (here, or of the client) the call is metered: an estimate of its tokens is reserved, settled with
        what the model says it used, and given back when the call fails. Without one, nothing is reserved: what the
        caller took from a bucket before stands for the call. How it went is fed back to the nodes either way.

        Args:
            prompt: what to say to the model; or give `messages`.
            model: which model.
            messages: a conversation, as the interface has it.
            agent: whose tokens the call costs.
            bucket: the bucket whose limit counts for the agent; the node's policy when None.
            estimate: tokens to reserve; when None, a token for every four bytes, and `max_tokens` or 512.
            max_tokens: the most the model may answer with.
            record_usage: also have the usage rated, in the background.
            timeout: seconds for this call.
            **extra: further members of the request's body, such as `temperature`.

        Raises:
            RateLimitError: the agent's tokens do not suffice now.
            UpstreamError: the model's interface did not answer, or not with a success.
            ConfigurationError: no interface is configured.
        """
        call = self._ask(prompt, model, messages, agent, bucket, estimate, max_tokens, record_usage, timeout, extra)
        return await self._driver.run(ai.invoke(self._core, call))

    async def stream_ai(
        self,
        prompt: str | None = None,
        model: str = "",
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        agent: str | None = None,
        bucket: AsyncTokenBucket | None = None,
        estimate: int | None = None,
        max_tokens: int | None = None,
        record_usage: bool = False,
        timeout: float | None = None,
        **extra: Any,
    ) -> AsyncIterator[str]:
        """Ask a model as `invoke_ai` does, and yield the text of its answer as it comes.

        Settled when the stream ends. One that is left early, or breaks off, is settled with what had come until then.
        """
        call = self._ask(prompt, model, messages, agent, bucket, estimate, max_tokens, record_usage, timeout, extra)
        response, meter = await self._driver.run(ai.open_stream(self._core, call))
        try:
            async for line in response.aiter_lines():
                if text := meter.line(line):
                    yield text
            meter.ended()
            if meter.held is not None:
                await self._driver.run(holds.settle(self._core, meter.held, meter.cost))
        except httpx2.TransportError as exc:
            error = UpstreamError(f"the stream broke off: {exc or type(exc).__name__}")
            meter.broken_off(error)
            raise error from exc
        except BaseException as exc:
            meter.broken_off(None if isinstance(exc, GeneratorExit) else exc)
            raise
        finally:
            await response.aclose()

    def _ask(
        self,
        prompt: str | None,
        model: str,
        messages: Sequence[Mapping[str, Any]] | None,
        agent: str | None,
        bucket: AsyncTokenBucket | None,
        estimate: int | None,
        max_tokens: int | None,
        record_usage: bool,
        timeout: float | None,
        extra: Mapping[str, Any],
    ) -> ai.Ask:
        if not model:
            raise ValueError("model must be given")
        return ai.ask(
            self._core,
            model=model,
            prompt=prompt,
            messages=messages,
            agent=agent,
            policy=None if bucket is None else bucket.policy,
            estimate_tokens=estimate,
            max_tokens=max_tokens,
            record_usage=record_usage,
            timeout=timeout,
            extra=extra,
        )

    # --- watching -----------------------------------------------------------------------------------------------------

    def add_observer(self, observer: Observer) -> None:
        """Tell an observer of decisions, outages and calls of models from now on."""
        self._core.observers.add(observer)

    def remove_observer(self, observer: Observer) -> None:
        """Tell it no longer."""
        self._core.observers.remove(observer)

    @property
    def unreported(self) -> int:
        """Tokens consumed without a node that no node was told of yet."""
        return self._core.ledger.total

    @property
    def degraded(self) -> bool:
        """Whether no node is believed to be well, so that buckets decide as `on_unavailable` says."""
        return not self._core.endpoints.usable()

    # --- end ----------------------------------------------------------------------------------------------------------

    async def flush(self) -> bool:
        """Report now what is still to be reported. False when not all of it could be."""
        return await self._driver.run(self._core.flush())

    async def close(self) -> None:
        """Report what can be reported, and let go of the connections."""
        if not self._driver.closed:
            await self.flush()
        await self._driver.close()

    async def __aenter__(self) -> AsyncOpenClawClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
