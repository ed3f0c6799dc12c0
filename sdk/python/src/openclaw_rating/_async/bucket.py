"""Token buckets, and the tokens they keep for calls whose cost is not known yet."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from .. import _holds as holds
from .._bucket import acquire, amount, name_of
from .._calls import whole
from .._models import Decision, InlinePolicy, Settlement, TokenUsage
from .._usage import merged

if TYPE_CHECKING:
    from types import TracebackType

    from .client import AsyncOpenClawClient

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class AsyncTokenBucket:
    """A limit for each key: `capacity` tokens at most, of which `refill_rate` come back in `interval_seconds`.

    The nodes keep one bucket for each key and these three numbers, whoever asks for it. Without numbers, the policies
    of the nodes say what the limit is. When no node can be reached, the client's `on_unavailable` decides.

    Args:
        client: the client to ask with.
        capacity: the largest burst, in tokens.
        refill_rate: tokens that come back in every interval.
        interval_seconds: the length of the interval.
    """

    def __init__(
        self,
        client: AsyncOpenClawClient,
        capacity: int | None = None,
        refill_rate: float | None = None,
        interval_seconds: float = 1.0,
    ) -> None:
        self.client = client
        self.policy: InlinePolicy | None = None
        if capacity is not None:
            self.policy = InlinePolicy(capacity, capacity if refill_rate is None else refill_rate, interval_seconds)
        elif refill_rate is not None:
            raise ValueError("refill_rate needs a capacity")
        self._core = client._core
        self._run = client._driver.run

    async def consume(self, key: str, tokens: int = 1) -> bool:
        """Take tokens if they can be had now. True when they were taken."""
        return (await self._run(self._core.decide(key, whole(tokens), self.policy))).allowed

    async def try_consume(self, key: str, tokens: int = 1) -> Decision:
        """Take tokens if they can be had now, and tell all about the answer. It is true when they were taken."""
        return await self._run(self._core.decide(key, whole(tokens), self.policy))

    async def acquire(self, key: str, tokens: int = 1, *, wait: bool | float = True) -> Decision:
        """Take tokens, waiting for them if need be.

        Args:
            key: whose tokens.
            tokens: how many.
            wait: how many seconds to wait at most; True for as long as it takes, False for not at all.

        Raises:
            RateLimitError: they could not be had in that time.
        """
        return await self._run(acquire(self._core, key, whole(tokens), self.policy, wait))

    async def refund(self, key: str, tokens: int) -> int:
        """Give tokens back that were taken but not needed; returns how many it were in fact."""
        return (await self.client.agents.refund(key, tokens, policy=self.policy)).refunded

    async def reserve(self, key: str, tokens: int, *, ttl_seconds: int | None = None) -> AsyncReservation:
        """Keep tokens for a call whose cost is not known yet.

        Use what is returned as a context manager: it is settled with the amount said last, with the whole estimate
        when none was said, and cancelled when the block raises.

        Raises:
            RateLimitError: so many tokens cannot be had now.
        """
        held = await self._run(holds.reserve(self._core, key, whole(tokens), self.policy, ttl_seconds))
        return AsyncReservation(self.client, held)

    def limit(
        self,
        key: str | Callable[..., str],
        tokens: int | Callable[..., int] = 1,
        *,
        wait: bool | float = False,
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """A decorator: each call of the function takes tokens first.

        Args:
            key: whose tokens; or a function of the call's arguments, or a format of their names: `"agent:{agent_id}"`.
            tokens: how many; or a function of the call's arguments.
            wait: as for `acquire`.

        Raises:
            RateLimitError: instead of a call for which the tokens could not be had.
        """

        def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
            signature = inspect.signature(function)

            @functools.wraps(function)
            async def limited(*args: P.args, **kwargs: P.kwargs) -> R:
                await self.acquire(name_of(key, signature, args, kwargs), amount(tokens, args, kwargs), wait=wait)
                return await function(*args, **kwargs)

            return limited

        return decorate

    async def stream(
        self,
        key: str,
        chunks: AsyncIterable[C],
        *,
        estimate: int,
        count: Callable[[C], int] | None = None,
        usage: Callable[[C], TokenUsage | None] | None = None,
        settle_every: int | None = None,
    ) -> AsyncIterator[C]:
        """Pass on what a model streams, metered: reserve, count, settle at the end.

        A stream that is left early or breaks off is settled with what was counted until then.

        Args:
            key: whose tokens.
            chunks: the stream.
            estimate: tokens to reserve before the first chunk is asked for.
            count: tokens of one chunk; they add up. 1 for each chunk when neither this nor `usage` is given.
            usage: what a chunk says of the usage so far, such as `usage_of`; wins over the count when it says anything.
            settle_every: tell the nodes each time so many further tokens were counted.

        Raises:
            RateLimitError: the estimate cannot be had now.
        """
        reservation = await self.reserve(key, estimate)
        counted, said, told = 0, None, 0
        per_chunk = count if count is not None or usage is not None else _one
        try:
            async for chunk in chunks:
                if per_chunk is not None:
                    counted += per_chunk(chunk)
                if usage is not None:
                    said = merged(said, usage(chunk))
                used = counted if said is None else said.total
                if settle_every is not None and used - told >= settle_every:
                    told = used
                    await reservation.update(used)
                yield chunk
            await reservation.settle(_cost(counted, said, per_chunk is None, estimate))
        except BaseException:
            reservation.abandon(counted if said is None else said.total)
            raise


def _one(_: object) -> int:
    return 1


def _cost(counted: int, said: TokenUsage | None, nothing_counts: bool, estimate: int) -> int:
    if said is not None:
        return said.total
    return estimate if nothing_counts else counted


class AsyncReservation:
    """Tokens that are kept until they are settled or cancelled. A context manager.

    Attributes:
        agent: whose tokens.
        tokens: how many are kept.
        decision: the answer that granted them.
        id: what the nodes call it, or None where they do not know holds.
    """

    def __init__(self, client: AsyncOpenClawClient, held: holds.Held) -> None:
        self._core = client._core
        self._run = client._driver.run
        self._held = held
        self._amount: int | None = None

    @property
    def agent(self) -> str:
        return self._held.key[0]

    @property
    def tokens(self) -> int:
        return self._held.tokens

    @property
    def decision(self) -> Decision:
        return self._held.decision

    @property
    def id(self) -> str | None:
        return self._held.id

    @property
    def settlement(self) -> Settlement | None:
        """The outcome, once there is one."""
        return self._held.settlement

    def use(self, tokens: int) -> None:
        """Say what the call cost, to be settled when the block ends."""
        self._amount = tokens

    def add(self, tokens: int) -> None:
        """Say that so many more tokens were used, to be settled when the block ends."""
        self._amount = (self._amount or 0) + tokens

    async def update(self, tokens: int) -> Settlement:
        """Settle in parts: so many tokens were used until now, in all."""
        self._amount = tokens
        return await self._run(holds.settle(self._core, self._held, tokens, final=False))

    async def settle(self, tokens: int | None = None) -> Settlement:
        """Settle with what the call cost in the end, in all; the amount said last, else the estimate, when None.

        Less than was kept goes back, more is charged. The same amount again is the same answer.
        """
        if tokens is None:
            tokens = self.tokens if self._amount is None else self._amount
        return await self._run(holds.settle(self._core, self._held, tokens))

    async def cancel(self) -> None:
        """Give everything back. Does nothing once settled."""
        await self._run(holds.cancel(self._core, self._held))

    def abandon(self, tokens: int = 0) -> None:
        """Settle in the background, with what was used until now; for where nothing can be waited for."""
        holds.abandon(self._core, self._held, tokens)

    async def __aenter__(self) -> AsyncReservation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held.settlement is not None:
            return
        if error is None:
            await self.settle()
        elif self._amount:
            self.abandon(self._amount)
        elif isinstance(error, Exception):
            await self.cancel()
        else:
            self.abandon()
