"""What others can watch: decisions, requests to nodes, calls of models."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._models import Decision, TokenUsage

log = logging.getLogger("openclaw_rating")


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of a model that ended.

    Attributes:
        seconds: how long it took; for a stream, until its end.
        error: the class of what went wrong, or None.
    """

    model: str
    agent: str | None
    seconds: float
    usage: TokenUsage | None = None
    response_model: str | None = None
    finish_reason: str | None = None
    error: str | None = None


class Observer:
    """Gets told what a client does. Override what you need; an exception is logged and otherwise ignored."""

    def on_decision(self, decision: Decision, seconds: float) -> None:
        """A bucket was asked, and answered."""

    def on_unavailable(self, url: str, reason: str) -> None:
        """A node that was in use is out of use now."""

    def on_recovered(self, url: str) -> None:
        """A node is in use again."""

    def on_model_call(self, call: ModelCall) -> None:
        """A call of a model ended."""


class Observers:
    """Those who watch one client."""

    def __init__(self) -> None:
        self._all: tuple[Observer, ...] = ()

    def add(self, observer: Observer) -> None:
        self._all += (observer,)

    def remove(self, observer: Observer) -> None:
        self._all = tuple(one for one in self._all if one is not observer)

    def __bool__(self) -> bool:
        return bool(self._all)

    def decision(self, decision: Decision, seconds: float) -> None:
        self._tell(lambda one: one.on_decision(decision, seconds))

    def unavailable(self, url: str, reason: str) -> None:
        log.warning("%s is out of use: %s", url, reason)
        self._tell(lambda one: one.on_unavailable(url, reason))

    def recovered(self, url: str) -> None:
        log.info("%s is in use again", url)
        self._tell(lambda one: one.on_recovered(url))

    def model_call(self, call: ModelCall) -> None:
        self._tell(lambda one: one.on_model_call(call))

    def _tell(self, say: Callable[[Observer], None]) -> None:
        for one in self._all:
            try:
                say(one)
            except Exception:
                log.exception("an observer failed")
