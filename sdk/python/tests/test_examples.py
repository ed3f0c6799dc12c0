"""The examples run as they are, against a real node and a double of the model's interface."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import httpx2
import pytest

from openclaw_rating import OpenClawClient
from openclaw_rating.testing import ClawdProcess, FakeUpstream, Reply
from waiting import eventually_async

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _configured(clawd: ClawdProcess, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_URL", clawd.url)
    monkeypatch.setenv("OPENCLAW_AI_URL", upstream.url)


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_agent_loop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    load("agent_loop", monkeypatch).main("m", ["Why?", "And then?"])
    assert capsys.readouterr().out.splitlines() == ["Hello there, general. "] * 2 + ["28 tokens used, 1000 left"]


async def test_fastapi_service(client: OpenClawClient, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    app = load("fastapi_service", monkeypatch).app
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://app") as http:
        said = await http.post("/agents/fa/ask", params={"prompt": "Hi"})
        assert said.json() == {"text": "Hello there, general.", "charged": 14}
        assert (await http.post("/agents/fa/stream", params={"prompt": "Hi"})).text == "Hello there, general. "
        assert 'openclaw_tokens_used_total{agent_id="fa"}' in (await http.get("/metrics")).text
        upstream.reply = Reply(status=500)
        assert (await http.post("/agents/fa/ask", params={"prompt": "Hi"})).status_code == 502
        upstream.reply = Reply(input_tokens=50_000)
        assert (await http.post("/agents/fa/ask", params={"prompt": "Hi"})).status_code == 200
        upstream.reply = Reply()

        async def in_debt() -> bool:
            answer = await http.post("/agents/fa/ask", params={"prompt": "Hi"})
            return bool(answer.status_code == 429)

        await eventually_async(in_debt)
        for path in ("ask", "stream"):
            denied = await http.post(f"/agents/fa/{path}", params={"prompt": "Hi"})
            assert denied.status_code == 429
            assert int(denied.headers["retry-after"]) >= 1
        answers = [await http.post("/agents/fb/ask", params={"prompt": "Hi"}) for _ in range(60)]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["content-type"] == "application/problem+json"
