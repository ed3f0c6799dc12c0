"""A rate limiter of the shape LangChain's chat models take.

    ChatOpenAI(model="gpt-4", rate_limiter=LangChainRateLimiter("agent:42:tokens", bucket=bucket))

It counts calls, as every limiter of that shape does: it is asked before the cost of a call is known.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from .._errors import RateLimitError

if TYPE_CHECKING:
    from .._async.bucket import AsyncTokenBucket
    from .._sync.bucket import TokenBucket

__all__ = ["LangChainRateLimiter"]


class LangChainRateLimiter:
    """Takes tokens before each call of a model.

    Args:
        key: whose tokens.
        bucket: for blocking calls.
        async_bucket: for awaiting calls; when None, those use `bucket` in a thread.
        tokens: how many for a call.
        max_wait: seconds to wait at most for tokens, where the caller is willing to wait; None for any time.
    """

    def __init__(
        self,
        key: str,
        *,
        bucket: TokenBucket | None = None,
        async_bucket: AsyncTokenBucket | None = None,
        tokens: int = 1,
        max_wait: float | None = None,
    ) -> None:
        if bucket is None and async_bucket is None:
            raise ValueError("give a bucket, an async_bucket, or both")
        self._key, self._bucket, self._async_bucket = key, bucket, async_bucket
        self._tokens, self._wait = tokens, True if max_wait is None else max_wait
        _pass_as_langchains()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take the tokens of one call; False when they could not be had."""
        if self._bucket is None:
            raise TypeError("a blocking call needs a bucket, not only an async_bucket")
        try:
            self._bucket.acquire(self._key, self._tokens, wait=self._wait if blocking else False)
        except RateLimitError:
            return False
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Take the tokens of one call; False when they could not be had."""
        if self._async_bucket is None:
            return await asyncio.to_thread(self.acquire, blocking=blocking)
        try:
            await self._async_bucket.acquire(self._key, self._tokens, wait=self._wait if blocking else False)
        except RateLimitError:
            return False
        return True


def _pass_as_langchains() -> None:
    """LangChain checks the class of its limiters. Where it is in use, ours is registered as one; it is not imported."""
    base = getattr(sys.modules.get("langchain_core.rate_limiters"), "BaseRateLimiter", None)
    if base is not None and not issubclass(LangChainRateLimiter, base):
        base.register(LangChainRateLimiter)
