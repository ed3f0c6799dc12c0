"""The parts of the interface, as attributes of a client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import httpx2

from .. import _calls as calls
from .._models import (
    Agent,
    AgentSummary,
    BatchDecision,
    Change,
    Charge,
    Check,
    Cluster,
    Decision,
    Entry,
    Health,
    InlinePolicy,
    KVResult,
    Page,
    Policy,
    Price,
    Refund,
    UsageEvent,
    UsageReport,
    rfc3339,
)

if TYPE_CHECKING:
    from .client import AsyncOpenClawClient


class _AsyncResource:
    def __init__(self, client: AsyncOpenClawClient) -> None:
        self._client = client
        self._call = client._call


class AsyncAgents(_AsyncResource):
    """Agents and their buckets, without any fallback: what no node answers is an error here."""

    async def consume(self, agent: str, tokens: int = 1, *, policy: InlinePolicy | None = None) -> Decision:
        """Take tokens, if they can be had now. A denial is an answer, not an error."""
        return await self._call(calls.consume(agent, tokens, policy))

    async def consume_batch(self, checks: Iterable[Check], *, atomic: bool = False) -> BatchDecision:
        """Answer many checks, each on its own or all or nothing."""
        return await self._call(calls.consume_batch(checks, atomic=atomic))

    async def refund(self, agent: str, tokens: int, *, policy: InlinePolicy | None = None) -> Refund:
        """Give tokens back, at most what was consumed."""
        return await self._call(calls.refund(agent, tokens, policy))

    async def get(self, agent: str) -> Agent:
        """Everything that decides the agent's answers. Consumes nothing."""
        return await self._call(calls.get_agent(agent))

    async def peek(self, agent: str, tokens: int = 1) -> bool:
        """Whether so many tokens could be had now. Consumes nothing."""
        return bool((await self._call(calls.get_agent(agent, tokens))).would_allow)

    async def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = None) -> Page:
        """One page of agents, by name."""
        return await self._call(calls.list_agents(prefix, after, limit))

    async def iterate(self, *, prefix: str = "") -> AsyncIterator[AgentSummary]:
        """All agents, by name, page by page."""
        after: str | None = None
        while True:
            page = await self.list(prefix=prefix, after=after, limit=1000)
            for one in page:
                yield one
            if not (after := page.next):
                return

    async def top(self, count: int = 50) -> tuple[AgentSummary, ...]:
        """The busiest agents of the node, busiest first."""
        return (await self._call(calls.top_agents(count))).items

    async def reset(self, agent: str) -> None:
        """Fill the agent's buckets. Totals stay."""
        await self._call(calls.reset_agent(agent))

    async def delete(self, agent: str) -> None:
        """Forget the agent and its totals."""
        await self._call(calls.delete_agent(agent))


class AsyncPolicies(_AsyncResource):
    """Who is limited how."""

    async def get(self, name: str) -> Policy:
        """One policy."""
        return await self._call(calls.get_policy(name))

    async def put(
        self,
        name: str,
        *,
        capacity: int,
        refill_rate: float,
        interval_seconds: float,
        match: str | None = None,
        durability: str | None = None,
        floor: int | None = None,
        allow_inline: bool | None = None,
        minority: str | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        **more: Any,
    ) -> Policy:
        """Create or replace a policy. `more` is for members that this package does not know yet."""
        body: dict[str, Any] = {
            **InlinePolicy(capacity, refill_rate, interval_seconds).body(),
            "match": match,
            "durability": durability,
            "floor": floor,
            "allow_inline": allow_inline,
            "minority": minority,
            **more,
        }
        body = {member: value for member, value in body.items() if value is not None}
        return await self._call(calls.put_policy(name, body, if_match, if_none_match))

    async def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a policy. Its agents fall to the next one that fits."""
        await self._call(calls.delete_policy(name, if_match))

    async def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = None) -> Page:
        """One page of policies, by name."""
        return await self._call(calls.list_policies(prefix, after, limit))

    async def iterate(self, *, prefix: str = "") -> AsyncIterator[Policy]:
        """All policies, by name, page by page."""
        after: str | None = None
        while True:
            page = await self.list(prefix=prefix, after=after, limit=1000)
            for one in page:
                yield one
            if not (after := page.next):
                return


class AsyncKV(_AsyncResource):
    """The key-value store: registers hold bytes, the last writer wins; counters add up."""

    async def get(self, key: str) -> Entry:
        """What a key holds; `NotFoundError` when it holds nothing."""
        return await self._call(calls.get_key(key))

    async def put(
        self,
        key: str,
        value: bytes | str,
        *,
        content_type: str | None = None,
        ttl_seconds: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> str:
        """Store bytes or text; returns the entity tag of the new version."""
        return await self._call(calls.put_key(key, value, content_type, ttl_seconds, if_match, if_none_match))

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Delete a register or a counter."""
        await self._call(calls.delete_key(key, if_match))

    async def increment(self, key: str, by: int = 1) -> int:
        """Add to a counter, creating it at 0; returns its value as the node sees it."""
        return await self._call(calls.increment(key, by))

    async def list(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None, values: bool = False
    ) -> Page:
        """One page of entries, by key, with their values if asked for."""
        return await self._call(calls.list_keys(prefix, after, limit, values=values))

    async def iterate(self, *, prefix: str = "", values: bool = False) -> AsyncIterator[Entry]:
        """All entries, by key, page by page."""
        after: str | None = None
        while True:
            page = await self.list(prefix=prefix, after=after, limit=1000, values=values)
            for one in page:
                yield one
            if not (after := page.next):
                return

    async def batch(self, operations: Iterable[Mapping[str, Any]]) -> tuple[KVResult, ...]:
        """Up to 1000 operations in order, each on its own.

        An operation is a mapping: `{"op": "put", "key": "a", "value": b"…"}`, with `op` one of get, put, delete and
        increment, and the members `content_type`, `ttl_seconds`, `by`, `if_match`, `if_none_match` where they fit.
        """
        return await self._call(calls.kv_batch(operations))

    async def watch(self, *, prefix: str = "", last_id: str | None = None) -> AsyncIterator[Change]:
        """Changes as they happen, without end.

        When the connection is lost it is made again, with the next node if need be, and goes on after the last change
        that was seen: nothing is missed, though a change may be seen twice. `reset` says that the content of every
        watched key follows.
        """
        core = self._client._core
        again = False
        while True:
            headers = () if last_id is None else (("Last-Event-ID", last_id),)
            call = calls.Call("GET", "/v1/kv", calls.decode, calls.watch(prefix), headers=headers)
            response = await self._client._driver.run(core.open_stream(call, again=again))
            again = True
            try:
                async for event in httpx2.EventSource(response):
                    last_id = event.id or last_id
                    yield calls.change(event.event, event.id, event.data)
            except httpx2.TransportError:
                continue
            finally:
                await response.aclose()


class AsyncUsage(_AsyncResource):
    """What was used, rated. Nodes that cannot do that yet make for a `FeatureUnavailableError`."""

    async def record(self, event: UsageEvent) -> Charge:
        """Have one event rated. It counts once, however often it is sent with the same `event_id`."""
        return (await self._call(calls.record_usage([event])))[0]

    async def record_many(self, events: Sequence[UsageEvent]) -> tuple[Charge, ...]:
        """Have several events rated in one call."""
        return await self._call(calls.record_usage(events)) if events else ()

    async def get(
        self,
        agent: str,
        *,
        start: date | None = None,
        end: date | None = None,
        group_by: str | None = None,
    ) -> UsageReport:
        """What an agent used from one day to another (UTC, both included), by default in the current month.

        An instant stands for its day. `group_by` is `model`, `day`, or nothing for an item each.
        """
        return await self._call(calls.get_usage(agent, start, end, group_by))


class AsyncPrices(_AsyncResource):
    """What models cost. Nodes that cannot do that yet make for a `FeatureUnavailableError`."""

    async def get(self, model: str) -> Price:
        """The price of a model."""
        return await self._call(calls.get_price(model))

    async def put(
        self,
        model: str,
        *,
        currency: str,
        input_per_million: str,
        output_per_million: str,
        cached_input_per_million: str | None = None,
        reasoning_per_million: str | None = None,
        per_request: str | None = None,
        effective_from: datetime | None = None,
        **more: Any,
    ) -> Price:
        """Set the price of a model. Money is given as decimal strings."""
        body: dict[str, Any] = {
            "currency": currency,
            "input_per_million": input_per_million,
            "output_per_million": output_per_million,
            "cached_input_per_million": cached_input_per_million,
            "reasoning_per_million": reasoning_per_million,
            "per_request": per_request,
            "effective_from": None if effective_from is None else rfc3339(effective_from),
            **more,
        }
        body = {member: value for member, value in body.items() if value is not None}
        return await self._call(calls.put_price(model, body))

    async def delete(self, model: str) -> None:
        """Delete the price of a model."""
        await self._call(calls.delete_price(model))

    async def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = None) -> Page:
        """One page of prices, by model."""
        return await self._call(calls.list_prices(prefix, after, limit))


class AsyncClusterView(_AsyncResource):
    """The members, and what operators do."""

    async def get(self) -> Cluster:
        """The members as the node sees them, itself included."""
        return await self._call(calls.get_cluster())

    async def join(self, *addresses: str) -> int:
        """Make the node contact others by their gossip addresses; returns how many answered."""
        return await self._call(calls.join_cluster(addresses))

    async def leave(self) -> None:
        """Make the node drain, leave the cluster and stop."""
        await self._call(calls.leave_cluster())

    async def forget(self, member: str) -> str:
        """Declare a member lost for good; returns its node id."""
        return await self._call(calls.forget_member(member))

    async def ready(self) -> Health:
        """Whether the node should get traffic."""
        return await self._call(calls.health("/readyz"))

    async def alive(self) -> Health:
        """Whether the node's process is well."""
        return await self._call(calls.health("/livez"))
