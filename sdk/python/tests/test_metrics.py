"""What is exported: to Prometheus, to OpenTelemetry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from openclaw_rating import OpenClawClient, TokenBucket, UpstreamError, metrics, otel
from openclaw_rating.metrics import agent_of
from openclaw_rating.testing import ClawdProcess, FakeUpstream, Reply
from waiting import PATIENT


@pytest.fixture
def ai(clawd: ClawdProcess, upstream: FakeUpstream) -> Iterator[OpenClawClient]:
    with OpenClawClient(base_url=clawd.url, timeout=PATIENT, ai_base_url=upstream.url) as client:
        yield client


def test_prometheus(ai: OpenClawClient, upstream: FakeUpstream, key: str) -> None:
    registry = CollectorRegistry()
    exported = metrics.register(ai, registry, max_agents=2)
    bucket = TokenBucket(client=ai, capacity=10, refill_rate=1, interval_seconds=3600)
    for agent in ("a", "b", "c", "d", "a"):
        bucket.consume(f"agent:{key}{agent}:tokens", 4)
    assert not bucket.consume(f"agent:{key}a:tokens", 4)
    ai.invoke_ai(prompt="Hi", model="m")
    upstream.reply = Reply(status=500)
    with pytest.raises(UpstreamError):
        ai.invoke_ai(prompt="Hi", model="m")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("openclaw_tokens_used_total", agent_id=f"{key}a") == 8
    assert value("openclaw_tokens_used_total", agent_id=f"{key}b") == 4
    assert value("openclaw_tokens_used_total", agent_id="other") == 8
    assert value("openclaw_decisions_total", outcome="allowed", source="node") == 5
    assert value("openclaw_decisions_total", outcome="denied", source="node") == 1
    assert value("openclaw_decision_seconds_count") == 6
    assert value("openclaw_degraded") == 0
    assert value("openclaw_endpoint_up", url=ai._core.settings.urls[0]) == 1
    assert value("openclaw_model_calls_total", model="m", outcome="ok") == 1
    assert value("openclaw_model_calls_total", model="m", outcome="error") == 1
    assert value("openclaw_model_tokens_total", model="m", kind="input") == 9
    text = generate_latest(registry)
    linted = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    exported.unregister()
    assert generate_latest(registry) == b""


def test_an_outage_shows(key: str) -> None:
    registry = CollectorRegistry()
    with OpenClawClient(base_url="http://127.0.0.1:9") as client:
        metrics.register(client, registry)
        TokenBucket(client=client, capacity=10).consume(key, 3)
        assert registry.get_sample_value("openclaw_degraded") == 1
        assert registry.get_sample_value("openclaw_unreported_tokens") == 3
        assert registry.get_sample_value("openclaw_endpoint_up", {"url": "http://127.0.0.1:9"}) == 0
        assert registry.get_sample_value("openclaw_decisions_total", {"outcome": "allowed", "source": "local"}) == 1


def test_nothing_is_registered_unasked() -> None:
    counter = Counter("openclaw_tokens_used_total", "The tutorial's.", ["agent_id"])
    REGISTRY.unregister(counter)


@pytest.mark.parametrize(
    ("key", "agent"),
    [("agent:42:tokens", "42"), ("agent:a:b:tokens", "a:b"), ("x", "x"), ("x:tokens", "x:tokens"), ("agent:7", "7")],
)
def test_keys_have_agents(key: str, agent: str) -> None:
    assert agent_of(key) == agent


def test_opentelemetry(ai: OpenClawClient, upstream: FakeUpstream, key: str) -> None:
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    otel.instrument(ai, meter_provider=meters, tracer_provider=tracers, provider="fake")
    ai.invoke_ai(prompt="Hi", model="m", agent=key)
    upstream.reply = Reply(status=500)
    with pytest.raises(UpstreamError):
        ai.invoke_ai(prompt="Hi", model="m")
    good, bad = spans.get_finished_spans()
    assert good.name == "chat m"
    assert good.attributes is not None
    assert dict(good.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fake",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-0001",
        "gen_ai.agent.id": key,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
    }
    assert good.start_time is not None
    assert good.end_time is not None
    assert good.end_time >= good.start_time
    assert not bad.status.is_ok
    data = reader.get_metrics_data()
    assert data is not None
    names = {one.name for scope in data.resource_metrics[0].scope_metrics for one in scope.metrics}
    assert {
        "gen_ai.client.inference.usage.input_tokens",
        "gen_ai.client.inference.usage.output_tokens",
        "gen_ai.client.operation.duration",
        "openclaw.decisions",
        "openclaw.tokens",
    } <= names
    meters.shutdown()
    tracers.shutdown()
