"""Tokens that are kept while a call is in flight and its cost unknown.

With a node that knows holds, that is what they are. With one that does not, and in an outage, the estimate is consumed
at once, and settling gives back what was too much or notes what was too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from . import _calls as calls
from ._errors import (
    APIConnectionError,
    APIStatusError,
    BadRequestError,
    FeatureUnavailableError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from ._models import Decision, Settlement
from ._observe import log

if TYPE_CHECKING:
    from ._core import Core
    from ._flow import Flow
    from ._local import BucketKey
    from ._models import InlinePolicy

HOLDS = "holds"
HOLDS_WITH_POLICY = "holds with a policy in the request"


@dataclass(slots=True)
class Held:
    """One reservation.

    Attributes:
        kind: a hold of a node; or consumption that a node knows of; or that none knows of yet.
        used: the total said so far by settling in parts.
        settlement: the outcome, once it is final.
    """

    key: BucketKey
    tokens: int
    decision: Decision
    kind: Literal["hold", "node", "local"]
    id: str | None = None
    used: int = 0
    settlement: Settlement | None = None


def reserve(
    core: Core, agent: str, tokens: int, policy: InlinePolicy | None, ttl_seconds: int | None = None
) -> Flow[Held]:
    """Keep tokens, or raise the denial."""
    key = agent, policy
    if not core.ledger.owed(key) and core.endpoints.usable() and not _lacks_holds(core, policy):
        held = yield from _reserve_at_node(core, key, tokens, ttl_seconds)
        if held is not None:
            return held
    decision = yield from core.decide(agent, tokens, policy)
    if not decision.allowed:
        raise RateLimitError.of(decision)
    return Held(key, tokens, decision, "node" if decision.source == "node" else "local")


def _lacks_holds(core: Core, policy: InlinePolicy | None) -> bool:
    return core.lacks(HOLDS) or (policy is not None and core.lacks(HOLDS_WITH_POLICY))


def _reserve_at_node(core: Core, key: BucketKey, tokens: int, ttl_seconds: int | None) -> Flow[Held | None]:
    """A hold, or None where plain consumption has to do."""
    agent, policy = key
    call = calls.reserve(agent, tokens, policy, ttl_seconds)
    started = core.now()
    try:
        answer = yield from core.execute(call, at_once=core.settings.on_unavailable != "raise")
    except FeatureUnavailableError:
        return None
    except BadRequestError as exc:
        if policy is None or not (exc.field or "").startswith("policy"):
            raise
        core.note_lack(HOLDS_WITH_POLICY)
        return None
    except (APIConnectionError, InternalServerError):
        # A hold whose answer got lost ends by itself; what is granted instead is decided without a node.
        if core.settings.on_unavailable == "raise":
            raise
        return None
    if isinstance(answer, calls.Denied):
        core.note_decision(answer.decision, started)
        raise RateLimitError.of(answer.decision)
    decision = Decision(True, agent, tokens, 0, answer.remaining)
    core.note_decision(decision, started)
    return Held(key, tokens, decision, "hold", answer.id)


def settle(core: Core, held: Held, used: int, *, final: bool = True) -> Flow[Settlement]:
    """Say what it cost. A final amount is said once; the same again is the same answer."""
    if held.settlement is not None:
        if held.settlement.charged == used:
            return held.settlement
        raise ValueError(f"settled with {held.settlement.charged} tokens before, now with {used}")
    if used < held.used:
        raise ValueError(f"{used} tokens are less than the {held.used} said before: the amount is the total so far")
    held.used = used
    if held.kind == "hold":
        settlement = yield from _settle_hold(core, held, used, final=final)
    elif not final:
        return Settlement(used, state="open")
    else:
        settlement = yield from _correct(core, held, used)
    if final:
        held.settlement = settlement
    return settlement


def _settle_hold(core: Core, held: Held, used: int, *, final: bool) -> Flow[Settlement]:
    call = calls.settle(held.id or "", used, final=final)
    try:
        return (yield from core.execute(call, at_once=True))
    except (APIConnectionError, InternalServerError):
        if final:
            core.report(call)
        return Settlement(used, state="settled" if final else "open", pending=True)
    except NotFoundError:
        # The node that kept it crashed before anybody else knew: its consumption is gone, too.
        if final and used:
            core.owe(held.key, used)
        return Settlement(used, pending=bool(used))
    except APIStatusError as exc:
        if exc.status_code != 410:
            raise
        log.warning("a reservation of %s was settled too late: %s", held.key[0], exc)
        return Settlement(held.tokens, state="expired")


def _correct(core: Core, held: Held, used: int) -> Flow[Settlement]:
    """Make consumption of the estimate consumption of what was used."""
    back = held.tokens - used
    if back < 0:
        core.owe(held.key, -back)
        return Settlement(used, overrun=-back, pending=True)
    pending = held.kind == "local"
    if back and pending:
        core.local.give(held.key, back, core.now())
        back -= core.ledger.forgive(held.key, back)
    if back:
        call = calls.refund(held.key[0], back, held.key[1])
        try:
            yield from core.execute(call, at_once=True)
        except APIConnectionError as exc:
            if not exc.maybe_done:
                core.report(call)
            pending = True
        except InternalServerError:
            core.report(call)
            pending = True
    return Settlement(used, returned=held.tokens - used, pending=pending)


def cancel(core: Core, held: Held) -> Flow[None]:
    """Give everything back. Once settled there is nothing to cancel."""
    if held.settlement is not None:
        return
    if held.kind != "hold":
        held.used = 0
        held.settlement = yield from _correct(core, held, 0)
        return
    call = calls.cancel(held.id or "")
    held.settlement = Settlement(0, held.tokens, state="cancelled")
    try:
        yield from core.execute(call, at_once=True)
    except (APIConnectionError, InternalServerError):
        core.report(call)
    except NotFoundError:
        pass


def abandon(core: Core, held: Held, used: int | None = None) -> None:
    """Settle or cancel without I/O, where none can be done: the background does it."""
    if held.settlement is not None:
        return
    used = held.used if used is None else used
    call: calls.Call[Any] | None = None
    if held.kind == "hold":
        call = calls.settle(held.id or "", used) if used else calls.cancel(held.id or "")
    elif used > held.tokens:
        core.owe(held.key, used - held.tokens)
    elif used < held.tokens:
        back = held.tokens - used
        if held.kind == "local":
            core.local.give(held.key, back, core.now())
            back -= core.ledger.forgive(held.key, back)
        call = calls.refund(held.key[0], back, held.key[1]) if back else None
    if call is not None:
        core.report(call)
    held.settlement = Settlement(used, max(0, held.tokens - used), max(0, used - held.tokens), pending=True)
