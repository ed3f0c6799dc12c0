"""Metrics of a client for Prometheus. Needs the extra `prometheus`.

    from openclaw_rating import metrics

    exported = metrics.register(client)

Nothing is registered until then, so code of yours may have a counter `openclaw_tokens_used_total` of its own; register
the client in another registry in that case, or leave the counting to the client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ._models import Decision
from ._observe import ModelCall, Observer

if TYPE_CHECKING:
    from ._async.client import AsyncOpenClawClient
    from ._sync.client import OpenClawClient

__all__ = ["Metrics", "agent_of", "register"]

DECISION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
CALL_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
OTHER = "other"


def agent_of(key: str) -> str:
    """The agent a key is about: `42` of `agent:42:tokens`, otherwise the key itself."""
    return key.removeprefix("agent:").removesuffix(":tokens") if key.startswith("agent:") else key


class Metrics(Observer):
    """What is exported of one client; see `register`.

    - `openclaw_tokens_used_total{agent_id}`: tokens granted.
    - `openclaw_decisions_total{outcome,source}`: answers of buckets: allowed or denied, and by whom.
    - `openclaw_decision_seconds`: how long they took.
    - `openclaw_degraded`: 1 while no node is believed to be well.
    - `openclaw_unreported_tokens`: consumed without a node, and not yet reported.
    - `openclaw_endpoint_up{url}`: 1 while a node is in use.
    - `openclaw_model_calls_total{model,outcome}`, `openclaw_model_call_seconds{model}`,
      `openclaw_model_tokens_total{model,kind}`: calls of models.
    """

    def __init__(
        self,
        client: OpenClawClient | AsyncOpenClawClient,
        registry: CollectorRegistry,
        agent_id: Callable[[str], str],
        max_agents: int,
    ) -> None:
        self._client = client
        self._registry = registry
        self._agent_id = agent_id
        self._max_agents = max_agents
        self._agents: set[str] = set()
        self._lock = threading.Lock()
        self.tokens_used = Counter(
            "openclaw_tokens_used_total", "Tokens granted, by agent.", ["agent_id"], registry=registry
        )
        self.decisions = Counter(
            "openclaw_decisions_total", "Answers of buckets.", ["outcome", "source"], registry=registry
        )
        self.decision_seconds = Histogram(
            "openclaw_decision_seconds", "Time of an answer of a bucket.", buckets=DECISION_BUCKETS, registry=registry
        )
        self.degraded = Gauge("openclaw_degraded", "Whether no node is believed to be well.", registry=registry)
        self.unreported = Gauge(
            "openclaw_unreported_tokens", "Tokens consumed without a node, not yet reported.", registry=registry
        )
        self.endpoint_up = Gauge("openclaw_endpoint_up", "Whether a node is in use.", ["url"], registry=registry)
        self.model_calls = Counter(
            "openclaw_model_calls_total", "Calls of models.", ["model", "outcome"], registry=registry
        )
        self.model_call_seconds = Histogram(
            "openclaw_model_call_seconds",
            "Time of a call of a model.",
            ["model"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.model_tokens = Counter(
            "openclaw_model_tokens_total", "Tokens that models say they used.", ["model", "kind"], registry=registry
        )
        self.degraded.set_function(lambda: float(client.degraded))
        self.unreported.set_function(lambda: float(client.unreported))
        for endpoint in client._core.endpoints.all:
            self.endpoint_up.labels(endpoint.url).set(not endpoint.open)

    def on_decision(self, decision: Decision, seconds: float) -> None:
        """Count an answer."""
        self.decisions.labels("allowed" if decision.allowed else "denied", decision.source).inc()
        self.decision_seconds.observe(seconds)
        if decision.allowed:
            self.tokens_used.labels(self._label(decision.agent)).inc(decision.tokens)

    def on_unavailable(self, url: str, reason: str) -> None:
        """A node is out of use."""
        self.endpoint_up.labels(url).set(0)

    def on_recovered(self, url: str) -> None:
        """A node is in use again."""
        self.endpoint_up.labels(url).set(1)

    def on_model_call(self, call: ModelCall) -> None:
        """Count a call of a model."""
        self.model_calls.labels(call.model, "ok" if call.error is None else "error").inc()
        self.model_call_seconds.labels(call.model).observe(call.seconds)
        if call.usage is not None:
            self.model_tokens.labels(call.model, "input").inc(call.usage.input_tokens)
            self.model_tokens.labels(call.model, "output").inc(call.usage.output_tokens)

    def _label(self, key: str) -> str:
        agent = self._agent_id(key)
        if agent in self._agents:
            return agent
        with self._lock:
            if len(self._agents) >= self._max_agents:
                return OTHER
            self._agents.add(agent)
            return agent

    def unregister(self) -> None:
        """Export nothing any more."""
        self._client.remove_observer(self)
        for one in (
            self.tokens_used,
            self.decisions,
            self.decision_seconds,
            self.degraded,
            self.unreported,
            self.endpoint_up,
            self.model_calls,
            self.model_call_seconds,
            self.model_tokens,
        ):
            self._registry.unregister(one)


def register(
    client: OpenClawClient | AsyncOpenClawClient,
    registry: CollectorRegistry = REGISTRY,
    *,
    agent_id: Callable[[str], str] = agent_of,
    max_agents: int = 50,
) -> Metrics:
    """Export what a client does.

    Args:
        client: which client.
        registry: where to.
        agent_id: the label of a key.
        max_agents: how many agents get a series of their own, the first ones that come; all others share `other`.
    """
    exported = Metrics(client, registry, agent_id, max_agents)
    client.add_observer(exported)
    return exported
