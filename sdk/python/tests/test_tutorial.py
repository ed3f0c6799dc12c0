"""The tutorial's code, as it is written, against a real node, a real model interface and a real Prometheus.

Only what its snippets leave out is added: `import os`, a logger, an `HTTPException`, and where the model is.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx2
import prometheus_client
import pytest

from openclaw_rating.testing import ClawdProcess, FakeUpstream
from openclaw_rating.testing._process import _free_port
from waiting import eventually

SNIPPETS = Path(__file__).parent / "tutorial"
EXPRESSION = "sum by (agent_id) (rate(openclaw_tokens_used_total[5m]))"


class HTTPException(Exception):
    """FastAPI's, as far as the tutorial uses it."""

    def __init__(self, status_code: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code, self.detail = status_code, detail


@pytest.fixture
def program(clawd: ClawdProcess, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module made of the snippets."""
    monkeypatch.setenv("OPENCLAW_URL", clawd.url)
    monkeypatch.setenv("OPENCLAW_API_KEY", "claw_test_key")
    monkeypatch.setenv("OPENCLAW_AI_URL", upstream.url)
    module = types.ModuleType("tutorial")
    exec("import os\nimport logging\nlogger = logging.getLogger('tutorial')", module.__dict__)
    vars(module)["HTTPException"] = HTTPException
    for name in ("bucket.py", "call.py", "safe.py"):
        run(module, name)
    yield module
    vars(module)["client"].close()


def run(module: types.ModuleType, name: str) -> None:
    source = (SNIPPETS / name).read_text()
    exec(compile(source, name, "exec"), module.__dict__)


def test_a_thousand_grants_and_then_denials(program: Any, upstream: FakeUpstream, key: str) -> None:
    allowed = [program.bucket.consume(f"agent:{key}:tokens", tokens=1) for _ in range(1010)]
    assert allowed[:1000] == [True] * 1000
    assert allowed.count(False) >= 9  # it refills while the loop runs: one token in 3.6 s
    while program.bucket.consume(f"agent:{key}:tokens", tokens=1):
        pass
    with pytest.raises(RuntimeError, match="Rate limit exceeded for agent"):
        program.call_ai_agent("Hello", key)
    assert upstream.requests == []


def test_an_answer_comes_through(program: Any, upstream: FakeUpstream, key: str) -> None:
    assert program.call_ai_agent("Hello", key) == "Hello there, general."
    assert upstream.requests[0].body["model"] == "gpt-4"
    assert program.client.agents.get(f"agent:{key}:tokens").consumed == 1


def test_a_denial_is_429_and_a_failure_500(
    program: Any, upstream: FakeUpstream, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert program.bucket.consume(f"agent:{key}:tokens", tokens=1000)
    with caplog.at_level(logging.WARNING), pytest.raises(HTTPException) as caught:
        program.safe_call_ai("Hello", key)
    assert (caught.value.status_code, caught.value.detail) == (429, "Rate limit exceeded")
    assert "Rate limit exceeded for agent" in caplog.text
    upstream.reply.status = 503
    with pytest.raises(HTTPException) as caught:
        program.safe_call_ai("Hello", key + "x")
    assert caught.value.status_code == 500


def test_no_node_is_a_stricter_limit_and_not_a_failure(program: Any, key: str) -> None:
    module = types.ModuleType("cut_off")
    exec("import os", module.__dict__)
    source = (
        (SNIPPETS / "bucket.py")
        .read_text()
        .replace('api_key=os.getenv("OPENCLAW_API_KEY")', 'base_url="http://127.0.0.1:9"')
    )
    exec(source, module.__dict__)
    allowed = [module.bucket.consume(f"agent:{key}:tokens", tokens=1) for _ in range(600)]
    assert allowed == [True] * 500 + [False] * 100
    module.client.close()


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """A Prometheus, started once it is known what to scrape."""
    binary = shutil.which("prometheus")
    assert binary, "Debian's package prometheus is missing: make sdk-test installs it"
    address = f"127.0.0.1:{_free_port()}"
    process: list[subprocess.Popen[bytes]] = []

    def start(target: str) -> None:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            json.dumps(  # YAML understands JSON
                {
                    "global": {"scrape_interval": "250ms"},
                    "scrape_configs": [{"job_name": "agents", "static_configs": [{"targets": [target]}]}],
                }
            )
        )
        log = (tmp_path / "log").open("wb")
        process.append(
            subprocess.Popen(
                [
                    binary,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                    f"--web.listen-address={address}",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=log,
            )
        )
        log.close()

    yield f"http://{address}", start
    for one in process:
        one.kill()
        one.wait()


def test_grafana_sees_what_agents_use(
    program: Any, prometheus: tuple[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, start = prometheus
    port, started = _free_port(), []
    # The snippet's port 8000 may be taken on this machine, and its registry be used by other tests.
    registry = prometheus_client.CollectorRegistry()
    serve, counter = prometheus_client.start_http_server, prometheus_client.Counter
    with monkeypatch.context() as patch:
        patch.setattr(
            "prometheus_client.start_http_server",
            lambda _: started.append(serve(port, addr="127.0.0.1", registry=registry)),
        )
        patch.setattr(
            "prometheus_client.Counter", lambda name, text, labels: counter(name, text, labels, registry=registry)
        )
        run(program, "metrics.py")

    def call(agent: str) -> None:
        assert program.bucket.consume(f"agent:{agent}:tokens", tokens=1)
        program.call_ai_agent("Hello", agent)  # the snippet's own, which only counts

    for agent in ("7", "42"):
        call(agent)
    text = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    assert 'openclaw_tokens_used_total{agent_id="42"} 1.0' in text
    start(f"127.0.0.1:{port}")

    def answered() -> bool:
        call("42")
        rates = query(server)
        return rates.keys() == {"7", "42"} and rates["42"] > 0

    eventually(answered)
    assert query(server)["7"] == 0
    for exporter, thread in started:
        exporter.shutdown()
        exporter.server_close()
        thread.join()


def query(server: str) -> dict[str, float]:
    """What Grafana gets for the panel's expression."""
    panel = json.loads((SNIPPETS / "panel.json").read_text())
    assert panel["targets"][0]["expr"] == EXPRESSION
    with httpx2.Client(trust_env=False, timeout=10) as http:
        try:
            answer = http.get(f"{server}/api/v1/query", params={"query": EXPRESSION, "time": str(time.time())})
        except httpx2.TransportError:
            return {}
    if answer.status_code != 200:
        return {}
    return {row["metric"]["agent_id"]: float(row["value"][1]) for row in answer.json()["data"]["result"]}
