"""The HTTP client that is used unless one is given.

A bucket is asked before every call of a model, so what an `httpx2.Client` does around its transport (cookies,
redirects, authentication, hooks, a line in the log) is left out: none of it is wanted here, and it is a third of the
time. Proxies are wanted: where the environment names one, it is a whole `httpx2.Client`.
"""

from __future__ import annotations

from typing import Protocol
from urllib.request import getproxies

import httpx2

LIMITS = httpx2.Limits(max_connections=256, max_keepalive_connections=128, keepalive_expiry=30)


class Http(Protocol):
    """What is needed of an HTTP client."""

    def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response: ...
    def close(self) -> None: ...


class AsyncHttp(Protocol):
    """What is needed of an HTTP client that awaits."""

    async def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response: ...
    async def aclose(self) -> None: ...


class Direct(httpx2.HTTPTransport):
    """Sends requests as they are, on connections that are kept."""

    def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        """Send a request, and read the answer unless it is to be streamed."""
        response = self.handle_request(request)
        response.request = request
        if not stream:
            _read(response)
        return response


class AsyncDirect(httpx2.AsyncHTTPTransport):
    """Sends requests as they are, on connections that are kept."""

    async def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        """Send a request, and read the answer unless it is to be streamed."""
        response = await self.handle_async_request(request)
        response.request = request
        if not stream:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response


def _read(response: httpx2.Response) -> None:
    try:
        response.read()
    except BaseException:
        response.close()
        raise


def connect() -> Http:
    """A client for blocking calls."""
    return httpx2.Client(limits=LIMITS) if getproxies() else Direct(limits=LIMITS)


def connect_async() -> AsyncHttp:
    """A client for awaiting calls."""
    return httpx2.AsyncClient(limits=LIMITS) if getproxies() else AsyncDirect(limits=LIMITS)
