"""Spans and metrics of calls of models for OpenTelemetry. Needs the extra `otel`.

    from openclaw_rating import otel

    otel.instrument(client)

Input tokens include those from a cache, and output tokens those of reasoning: the finer numbers are parts of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry import metrics as otel_metrics
from opentelemetry import trace as otel_trace

from . import _genai as names
from ._models import Decision, TokenUsage
from ._observe import ModelCall, Observer
from ._version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from ._async.client import AsyncOpenClawClient
    from ._sync.client import OpenClawClient

__all__ = ["Instrumentation", "instrument"]

SCOPE = "openclaw_rating"


def _parts(usage: TokenUsage) -> dict[str, int]:
    return {
        names.INPUT_TOKENS: usage.input_tokens,
        names.OUTPUT_TOKENS: usage.output_tokens,
        names.CACHE_READ_TOKENS: usage.cached_input_tokens,
        names.CACHE_WRITE_TOKENS: usage.cache_write_tokens,
        names.REASONING_TOKENS: usage.reasoning_tokens,
    }


class Instrumentation(Observer):
    """What is recorded of one client; see `instrument`."""

    def __init__(self, meters: MeterProvider, tracers: TracerProvider, provider: str) -> None:
        meter = meters.get_meter(SCOPE, __version__)
        self._tracer = tracers.get_tracer(SCOPE, __version__)
        self._provider = provider
        self._tokens = {
            name: meter.create_counter(names.COUNTER_PREFIX + name.removeprefix("gen_ai.usage."), unit=names.TOKEN_UNIT)
            for name in _parts(TokenUsage())
        }
        self._duration = meter.create_histogram(names.DURATION, unit="s")
        self._decisions = meter.create_counter("openclaw.decisions", unit="{decision}")
        self._used = meter.create_counter("openclaw.tokens", unit=names.TOKEN_UNIT)

    def on_decision(self, decision: Decision, seconds: float) -> None:
        """Count an answer of a bucket. Agents are no attribute here: there may be any number of them."""
        attributes = {
            "openclaw.outcome": "allowed" if decision.allowed else "denied",
            "openclaw.source": decision.source,
        }
        self._decisions.add(1, attributes)
        if decision.allowed:
            self._used.add(decision.tokens, {"openclaw.source": decision.source})

    def on_model_call(self, call: ModelCall) -> None:
        """Record a call of a model that ended."""
        attributes: dict[str, str] = {
            names.OPERATION: names.CHAT,
            names.PROVIDER: self._provider,
            names.REQUEST_MODEL: call.model,
        }
        if call.response_model:
            attributes[names.RESPONSE_MODEL] = call.response_model
        if call.error:
            attributes[names.ERROR_TYPE] = call.error
        self._duration.record(call.seconds, attributes)
        usage = {} if call.usage is None else _parts(call.usage)
        for name, tokens in usage.items():
            if tokens:
                self._tokens[name].add(tokens, attributes)
        self._span(call, attributes, usage)

    def _span(self, call: ModelCall, attributes: dict[str, str], usage: dict[str, int]) -> None:
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{names.CHAT} {call.model}",
            kind=otel_trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(call.seconds * 1_000_000_000),
        )
        if call.agent:
            span.set_attribute(names.AGENT_ID, call.agent)
        if call.finish_reason:
            span.set_attribute(names.FINISH_REASONS, [call.finish_reason])
        for name, tokens in usage.items():
            span.set_attribute(name, tokens)
        if call.error:
            span.set_status(otel_trace.StatusCode.ERROR, call.error)
        span.end(end_time=end)


def instrument(
    client: OpenClawClient | AsyncOpenClawClient,
    *,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    provider: str = "openai",
) -> Instrumentation:
    """Record what a client does.

    Args:
        client: which client.
        meter_provider: where metrics go; the global one when None.
        tracer_provider: where spans go; the global one when None.
        provider: value of `gen_ai.provider.name`, since an OpenAI-compatible interface may be anybody's.
    """
    recorded = Instrumentation(
        meter_provider or otel_metrics.get_meter_provider(),
        tracer_provider or otel_trace.get_tracer_provider(),
        provider,
    )
    client.add_observer(recorded)
    return recorded
