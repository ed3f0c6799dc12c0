"""What sync and async buckets share."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ._errors import RateLimitError
from ._flow import Flow, Pause
from ._local import SECOND
from ._models import Decision, InlinePolicy

if TYPE_CHECKING:
    from ._core import Core

LONGEST_PAUSE = 5.0
"""Seconds after which a waiting caller asks again, however long the wait was said to be: others may have refunded."""


def acquire(core: Core, agent: str, tokens: int, policy: InlinePolicy | None, wait: bool | float) -> Flow[Decision]:
    """Ask until the tokens are granted or the time is over."""
    deadline = None if wait is True else core.now() + int(float(wait) * SECOND)
    while True:
        decision = yield from core.decide(agent, tokens, policy)
        if decision.allowed:
            return decision
        # A little later than told, and not all at once: whoever waits for the same tokens was told the same.
        pause = min(1.0 if decision.retry_after is None else decision.retry_after, LONGEST_PAUSE)
        pause = max(pause, 0.001) * (1 + 0.1 * random.random())
        if deadline is not None:
            left = (deadline - core.now()) / SECOND
            hopeless = decision.retry_after is not None and decision.retry_after > left
            if left <= 0 or hopeless:
                raise RateLimitError.of(decision)
            pause = min(pause, left)
        yield Pause(pause)


def name_of(
    key: str | Callable[..., str], signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str:
    """The key of one call of a decorated function."""
    if callable(key):
        return key(*args, **kwargs)
    if "{" not in key:
        return key
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return key.format(**bound.arguments)


def amount(tokens: int | Callable[..., int], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """The tokens of one call of a decorated function."""
    return tokens(*args, **kwargs) if callable(tokens) else tokens
