"""A service that answers for many agents: a limit on requests per caller, and a budget of tokens per agent.

    OPENCLAW_AI_URL=http://127.0.0.1:11434/v1 uvicorn fastapi_service:app

Needs `fastapi` and `uvicorn`, and the extra `prometheus` for `/metrics`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from openclaw_rating import AsyncOpenClawClient, AsyncTokenBucket, RateLimitError, UpstreamError, metrics
from openclaw_rating.integrations import RateLimitMiddleware

client = AsyncOpenClawClient()
registry = CollectorRegistry()
metrics.register(client, registry)
requests = AsyncTokenBucket(client=client, capacity=60, refill_rate=60, interval_seconds=60)
tokens = AsyncTokenBucket(client=client, capacity=50_000, refill_rate=50_000, interval_seconds=3600)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """What is owed to the nodes is told before the process ends."""
    try:
        yield
    finally:
        await client.close()


app = FastAPI(lifespan=lifespan)
app.add_middleware(
    RateLimitMiddleware,
    bucket=requests,
    key=lambda scope: f"caller:{scope['client'][0]}" if scope["path"].startswith("/agents/") else None,
)


@app.post("/agents/{agent_id}/ask")
async def ask(agent_id: str, prompt: str, model: str = "gpt-4") -> dict[str, object]:
    """One answer, as JSON."""
    completion = await client.invoke_ai(prompt, model, agent=f"agent:{agent_id}:tokens", bucket=tokens)
    return {"text": completion["text"], "charged": completion["charged"]}


@app.post("/agents/{agent_id}/stream")
async def stream(agent_id: str, prompt: str, model: str = "gpt-4") -> StreamingResponse:
    """One answer, as it comes."""
    words = client.stream_ai(prompt, model, agent=f"agent:{agent_id}:tokens", bucket=tokens)
    first = await anext(words, "")  # a denial is raised here, while there is still a status to answer with

    async def body() -> AsyncIterator[str]:
        yield first
        async for word in words:
            yield word

    return StreamingResponse(body(), media_type="text/plain")


@app.exception_handler(RateLimitError)
async def denied(_: Request, error: RateLimitError) -> JSONResponse:
    """429 with the time after which to come back."""
    wait = max(1, round(error.retry_after or 1))
    return JSONResponse({"detail": "Rate limit exceeded"}, 429, {"Retry-After": str(wait)})


@app.exception_handler(UpstreamError)
async def failed(_: Request, error: UpstreamError) -> JSONResponse:
    """The model did not answer; nothing was charged."""
    return JSONResponse({"detail": "The model did not answer"}, 502)


@app.get("/metrics")
async def exported() -> Response:
    """For Prometheus."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
