# Made by scripts/unasync.py from _async/resources.py: change that one.
"""The parts of the interface, as attributes of a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    from .client import OpenClawClient


class _Resource:
    def __init__(self, client: OpenClawClient) -> None:
        self._client = client
        self._call = client._call


class Agents(_Resource):
    """Agents and their buckets, without any fallback: what no node answers is an error here."""

    def consume(self, agent: str, tokens: int = 1, *, policy: InlinePolicy | None = None) -> Decision:
        """Take tokens, if they can be had now. A denial is an answer, not an error."""
        return self._call(calls.consume(agent, tokens, policy))

    def consume_batch(self, checks: Iterable[Check], *, atomic: bool = False) -> BatchDecision:
        """Answer many checks, each on its own or all or nothing."""
        return self._call(calls.consume_batch(checks, atomic=atomic))

    def refund(self, agent: str, tokens: int, *, policy: InlinePolicy | None = None) -> Refund:
        """Give tokens back, at most what was consumed."""
        return self._call(calls.refund(agent, tokens, policy))

    def get(self, agent: str) -> Agent:
        """Everything that decides the agent's answers. Consumes nothing."""
        return self._call(calls.get_agent(agent))

    def peek(self, agent: str, tokens: int = 1) -> bool:
        """Whether so many tokens could be had now. Consumes nothing."""
        return bool((self._call(calls.get_agent(agent, tokens))).would_allow)

    def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = None) -> Page:
        """One page of agents, by name."""
        return self._call(calls.list_agents(prefix, after, limit))

    def iterate(self, *, prefix: str = "") -> Iterator[AgentSummary]:
        """All agents, by name, page by page."""
        after: str | None = None
        while True:
            page = self.list(prefix=prefix, after=after, limit=1000)
            for one in page:
                yield one
            if not (after := page.next):
                return

    def top(self, count: int = 50) -> tuple[AgentSummary, ...]:
        """The busiest agents of the node, busiest first."""
        return (self._call(calls.top_agents(count))).items

    def reset(self, agent: str) -> None:
        """Fill the agent's buckets. Totals stay."""
        self._call(calls.reset_agent(agent))

    def delete(self, agent: str) -> None:
        """Forget the agent and its totals."""
        self._call(calls.delete_agent(agent))


class Policies(_Resource):
    """Who is limited how."""

    def get(self, name: str) -> Policy:
        """One policy."""
        return self._call(calls.get_policy(name))

    def put(
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
        return self._call(calls.put_policy(name, body, if_match, if_none_match))

    def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a policy. Its agents fall to the next one that fits."""
        self._call(calls.delete_policy(name, if_match))

    def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = None) -> Page:
        """One page of policies, by name."""
        return self._call(calls.list_policies(prefix, after, limit))

    def iterate(self, *, prefix: str = "") -> Iterator[Policy]:
        """All policies, by name, page by page."""
        after: str | None = None
        while True:
            page = self.list(prefix=prefix, after=after, limit=1000)
            for one in page:
                yield one
            if not (after := page.next):
                return


class KV(_Resource):
    """The key-value store: registers hold bytes, the last writer wins; counters add up."""

    def get(self, key: str) -> Entry:
        """What a key holds; `NotFoundError` when it holds nothing."""
        return self._call(calls.get_key(key))

    def put(
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
        return self._call(calls.put_key(key, value, content_type, ttl_seconds, if_match, if_none_match))

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Delete a register or a counter."""
        self._call(calls.delete_key(key, if_match))

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a counter, creating it at 0; returns its value as the node sees it."""
        return self._call(calls.increment(key, by))

    def list(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None, values: bool = False
    ) -> Page:
        """One page of entries, by key, with their values if asked for."""
        return self._call(calls.list_keys(prefix, after, limit, values=values))

    def iterate(self, *, prefix: str = "", values: bool = False) -> Iterator[Entry]:
        """All entries, by key, page by page."""
        after: str | None = None
        while True:
            page = self.list(prefix=prefix, after=after, limit=1000, values=values)
            for one in page:
                yield one
            if not (after := page.next):
                return

    def batch(self, operations: Iterable[Mapping[str, Any]]) -> tuple[KVResult, ...]:
        """Up to 1000 operations in order, each on its own.

        An operation is a mapping: `{"op": "put", "key": "a", "value": b"…"}`, with `op` one of get, put, delete and
        increment, and the members `content_type`, `ttl_seconds`, `by`, `if_match`, `if_none_match` where they fit.
        """
        return self._call(calls.kv_batch(operations))

    def watch(self, *, prefix: str = "", last_id: str | None = None) -> Iterator[Change]:
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
            response = self._client._driver.run(core.open_stream(call, again=again))
            again = True
            try:
                for event in httpx2.EventSource(response):
                    last_id = event.id or last_id
                    yield calls.change(event.event, event.id, event.data)
            except httpx2.TransportError:
                continue
            finally:
                response.close()


class Usage(_Resource):
    """What was used, rated. Nodes that cannot do that yet make for a `FeatureUnavailableError`."""

    def record(self, event: UsageEvent) -> Charge:
        """Have one event rated. It counts once, however often it is sent with the same `event_id`."""
        return (self._call(calls.record_usage([event])))[0]

    def record_many(self, events: Sequence[UsageEvent]) -> tuple[Charge, ...]:
        """Have several events rated in one call."""
        return self._call(calls.record_usage(events)) if events else ()

    def get(
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
        return self._call(calls.get_usage(agent, start, end, group_by))


class Prices(_Resource):
    """What models cost. Nodes that cannot do that yet make for a `FeatureUnavailableError`."""

    def get(self, model: str) -> Price:
        """The price of a model."""
        return self._call(calls.get_price(model))

    def put(
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
        return self._call(calls.put_price(model, body))

    def delete(self, model: str) -> None:
        """Delete the price of a model."""
        self._call(calls.delete_price(model))

    def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = None) -> Page:
        """One page of prices, by model."""
        return self._call(calls.list_prices(prefix, after, limit))


class ClusterView(_Resource):
    """The members, and what operators do."""

    def get(self) -> Cluster:
        """The members as the node sees them, itself included."""
        return self._call(calls.get_cluster())

    def join(self, *addresses: str) -> int:
        """Make the node contact others by their gossip addresses; returns how many answered."""
        return self._call(calls.join_cluster(addresses))

    def leave(self) -> None:
        """Make the node drain, leave the cluster and stop."""
        self._call(calls.leave_cluster())

    def forget(self, member: str) -> str:
        """Declare a member lost for good; returns its node id."""
        return self._call(calls.forget_member(member))

    def ready(self) -> Health:
        """Whether the node should get traffic."""
        return self._call(calls.health("/readyz"))

    def alive(self) -> Health:
        """Whether the node's process is well."""
        return self._call(calls.health("/livez"))
