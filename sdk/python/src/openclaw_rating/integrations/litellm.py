"""A callback of the shape LiteLLM and its proxy take.

    litellm.callbacks = [litellm_callback(bucket, agent=lambda data: data["user"])]

In the proxy a call reserves an estimate before it is made, and is denied with 429 when that cannot be had; give an
`AsyncTokenBucket`. Where LiteLLM is used as a library there is no hook before a call: usage is then charged when it is
known, and a `TokenBucket` does as well.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._sync.bucket import TokenBucket
from .._usage import estimate, usage_of

if TYPE_CHECKING:
    from .._async.bucket import AsyncReservation, AsyncTokenBucket

__all__ = ["LiteLLMHooks", "litellm_callback"]

MAX_CALLS = 100_000
"""How many calls are remembered; the oldest are forgotten first, and settled with what is known."""


class LiteLLMHooks:
    """The hooks, for a class that already is a `CustomLogger`; see `litellm_callback`."""

    def __init__(
        self,
        bucket: TokenBucket | AsyncTokenBucket,
        agent: str | Callable[[Mapping[str, Any]], str],
        *,
        default_output: int = 512,
    ) -> None:
        super().__init__()
        self._bucket, self._agent, self._default_output = bucket, agent, default_output
        # None: settled. LiteLLM tells of one call several times.
        self._calls: OrderedDict[str, AsyncReservation | None] = OrderedDict()
        self._lock = threading.Lock()

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Reserve an estimate, or deny the call."""
        if isinstance(self._bucket, TokenBucket):
            raise TypeError("the hook before a call awaits: give an AsyncTokenBucket")
        prompt = data.get("messages") or data.get("input") or data.get("prompt") or ""
        bound = data.get("max_tokens") or data.get("max_completion_tokens")
        tokens = estimate(prompt, bound if isinstance(bound, int) else None, self._default_output)
        reservation = await self._bucket.reserve(self._name(data), tokens)
        self._keep(_id(data), reservation)
        return data

    async def async_post_call_success_hook(self, data: dict[str, Any], user_api_key_dict: Any, response: Any) -> Any:
        """Settle with what the answer says."""
        if usage_of(response) is not None:  # a stream has no usage yet: its end is logged
            await self._settle(data, response)
        return response

    async def async_post_call_failure_hook(
        self, request_data: dict[str, Any], original_exception: Exception, user_api_key_dict: Any, *_: Any, **__: Any
    ) -> None:
        """Give everything back."""
        if (reservation := self._take(request_data)) is not None:
            await reservation.cancel()

    async def async_log_success_event(self, kwargs: dict[str, Any], response_obj: Any, *_: Any) -> None:
        """Settle what is still open with the whole answer, a stream's included."""
        await self._settle(kwargs, response_obj)

    async def async_log_failure_event(self, kwargs: dict[str, Any], response_obj: Any, *_: Any) -> None:
        """Give back what is still open."""
        if (reservation := self._take(kwargs)) is not None:
            await reservation.cancel()

    def log_success_event(self, kwargs: dict[str, Any], response_obj: Any, *_: Any) -> None:
        """Charge a blocking call, for which nothing was reserved."""
        if _id(kwargs) not in self._calls:
            self._charge(kwargs, response_obj)

    def log_failure_event(self, kwargs: dict[str, Any], response_obj: Any, *_: Any) -> None:
        """Nothing: where nothing was reserved there is nothing to give back."""

    async def _settle(self, data: Mapping[str, Any], response: Any) -> None:
        known = _id(data) in self._calls
        reservation = self._take(data)
        usage = usage_of(response)
        if reservation is not None:
            await reservation.settle(None if usage is None else usage.total)
        elif not known:
            self._charge(data, response)

    def _charge(self, data: Mapping[str, Any], response: Any) -> None:
        """Charge what was used, into debt if need be: it was used already."""
        self._keep(_id(data), None)
        usage = usage_of(response)
        if usage is not None and usage.total:
            self._bucket.client._core.owe((self._name(data), self._bucket.policy), usage.total)

    def _name(self, data: Mapping[str, Any]) -> str:
        return self._agent(data) if callable(self._agent) else self._agent

    def _keep(self, call_id: str, reservation: AsyncReservation | None) -> None:
        with self._lock:
            self._calls[call_id] = reservation
            forgotten = self._calls.popitem(last=False)[1] if len(self._calls) > MAX_CALLS else None
        if forgotten is not None:
            forgotten.abandon(forgotten.tokens)

    def _take(self, data: Mapping[str, Any]) -> AsyncReservation | None:
        """The open reservation of a call, which is settled from now on."""
        with self._lock:
            reservation = self._calls.get(_id(data))
            if reservation is not None:
                self._calls[_id(data)] = None
            return reservation


def _id(data: Mapping[str, Any]) -> str:
    return str(data.get("litellm_call_id") or id(data))


def litellm_callback(
    bucket: TokenBucket | AsyncTokenBucket,
    agent: str | Callable[[Mapping[str, Any]], str],
    *,
    default_output: int = 512,
) -> LiteLLMHooks:
    """A callback for `litellm.callbacks`.

    Args:
        bucket: what limits the calls.
        agent: whose tokens; or a function of the call's data.
        default_output: tokens of an answer to reserve when the call does not bound it.
    """
    # LiteLLM checks the class of its callbacks. Where it is in use, ours becomes one; it is not imported.
    base = getattr(sys.modules.get("litellm.integrations.custom_logger"), "CustomLogger", None)
    kind: type[LiteLLMHooks] = LiteLLMHooks if base is None else type("OpenClawCallback", (LiteLLMHooks, base), {})
    return kind(bucket, agent, default_output=default_output)
