"""Middleware for WSGI applications: Flask, Django and the rest.

app.wsgi_app = WSGIRateLimitMiddleware(app.wsgi_app, bucket, key=lambda environ: f"ip:{environ['REMOTE_ADDR']}")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ._http import denial

if TYPE_CHECKING:
    from .._sync.bucket import TokenBucket

__all__ = ["WSGIRateLimitMiddleware"]

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WSGIRateLimitMiddleware:
    """Takes tokens before each request, and answers 429 when they cannot be had.

    The decision is left in `environ["openclaw.decision"]` for the application.

    Args:
        app: the application.
        bucket: what limits it.
        key: whose tokens, as a function of the environment; None lets the request pass.
        tokens: how many for a request; or a function of the environment.
    """

    def __init__(
        self,
        app: App,
        bucket: TokenBucket,
        key: Callable[[Environ], str | None],
        tokens: int | Callable[[Environ], int] = 1,
    ) -> None:
        self._app, self._bucket, self._key, self._tokens = app, bucket, key, tokens

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        key = self._key(environ)
        if key is None:
            return self._app(environ, start_response)
        tokens = self._tokens(environ) if callable(self._tokens) else self._tokens
        decision = self._bucket.try_consume(key, tokens)
        environ["openclaw.decision"] = decision
        if decision.allowed:
            return self._app(environ, start_response)
        headers, body = denial(decision)
        start_response("429 Too Many Requests", headers)
        return [body]
