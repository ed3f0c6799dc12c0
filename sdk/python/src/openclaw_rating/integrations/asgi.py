"""Middleware for ASGI applications: FastAPI, Starlette and the rest.

app.add_middleware(RateLimitMiddleware, bucket=bucket, key=lambda scope: f"ip:{scope['client'][0]}")
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from ._http import denial

if TYPE_CHECKING:
    from .._async.bucket import AsyncTokenBucket

__all__ = ["RateLimitMiddleware"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RateLimitMiddleware:
    """Takes tokens before each HTTP request, and answers 429 when they cannot be had.

    The decision is left in `scope["state"]["openclaw_decision"]` for the application.

    Args:
        app: the application.
        bucket: what limits it.
        key: whose tokens, as a function of the scope, which may await; None lets the request pass.
        tokens: how many for a request; or a function of the scope.
    """

    def __init__(
        self,
        app: App,
        bucket: AsyncTokenBucket,
        key: Callable[[Scope], str | Awaitable[str | None] | None],
        tokens: int | Callable[[Scope], int] = 1,
    ) -> None:
        self._app, self._bucket, self._key, self._tokens = app, bucket, key, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._key(scope)
        key = await found if inspect.isawaitable(found) else found
        if key is None:
            await self._app(scope, receive, send)
            return
        tokens = self._tokens(scope) if callable(self._tokens) else self._tokens
        decision = await self._bucket.try_consume(key, tokens)
        scope.setdefault("state", {})["openclaw_decision"] = decision
        if decision.allowed:
            await self._app(scope, receive, send)
            return
        headers, body = denial(decision)
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": 429, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
