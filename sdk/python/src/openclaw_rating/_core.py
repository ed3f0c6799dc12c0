"""What both clients do, without doing any I/O: retries, failover, decisions and what becomes of them in an outage.

Safe for concurrent use. Nothing here blocks but for locks held for the length of a few dictionary operations.
"""

from __future__ import annotations

import os
import platform
import random
import re
import weakref
from contextlib import suppress
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import httpx2

from . import _calls as calls
from ._endpoints import Endpoint, Endpoints
from ._errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    FeatureUnavailableError,
    InternalServerError,
    OpenClawError,
    RateLimitError,
    class_of,
)
from ._feedback import Feedback
from ._flow import Close, Flow, Pause, Send
from ._ledger import Ledger, Report
from ._local import SECOND, BucketKey, LocalBuckets, Seen, per_second
from ._models import BatchDecision, Decision, InlinePolicy, Source
from ._observe import ModelCall, Observers, log
from ._settings import DEFAULT_SHARE, Settings
from ._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LONGEST_WAIT = 8.0
"""The longest pause, in seconds, that an answer may ask for before the error goes to the caller instead."""
FORGET_MISSING = 60 * SECOND
"""After this long a node is asked again for a part of the interface that it did not have."""
REFRESH_SHARE = 300 * SECOND
LONGEST_DEBT_PAUSE = 5 * SECOND
PAY_ROUNDS = 20
FLUSH_STEP, FLUSH_STEPS = 0.005, 1000
SILENCE = 60.0
"""A change stream that is silent for so many seconds is dead: nodes say something more often than that."""

consumed_last: ContextVar[str | None] = ContextVar("openclaw_consumed_last", default=None)
"""The agent that a bucket granted tokens to last in this context: whose calls of models feedback is about."""

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_UNAVAILABLE = (APIConnectionError, InternalServerError)
_QUOTA = re.compile(r";q=(\d+);w=(\d+)")
_USER_AGENT = f"openclaw-rating-sdk/{__version__} python/{platform.python_version()}"

_cores: weakref.WeakSet[Core] = weakref.WeakSet()


class Core:
    """The state of one client."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = settings.clock
        self.endpoints = Endpoints(settings.urls)
        self.local = LocalBuckets(settings.local_share or DEFAULT_SHARE, settings.max_local_keys)
        self.ledger = Ledger(settings.max_local_keys)
        self.feedback = Feedback()
        self.observers = Observers()
        self.wake: Callable[[], None] = _nothing_to_wake
        self.forked: Callable[[], None] = _nothing_to_wake
        self._missing: dict[str, int] = {}
        self._keys_known: tuple[bool, int] | None = None
        self._share_due = 0 if settings.local_share is None else None
        self._headers = [("User-Agent", _USER_AGENT), ("Accept", "application/json, application/problem+json, */*")]
        if settings.api_key:
            self._headers.append(("Authorization", f"Bearer {settings.api_key}"))
        _cores.add(self)

    # --- one call -----------------------------------------------------------------------------------------------------

    def request(
        self, call: calls.Call[Any], endpoint: Endpoint, timeout: httpx2.Timeout | None = None
    ) -> httpx2.Request:
        """The HTTP request of a call."""
        headers = [*self._headers, *call.headers]
        if call.key is not None:
            headers.append(("Idempotency-Key", f'"{call.key}"'))
        params = {name: _param(value) for name, value in call.params.items() if value is not None} or None
        return httpx2.Request(
            call.method,
            _url(endpoint.url, call.path),
            params=params,
            headers=headers,
            content=call.content,
            extensions={"timeout": (timeout or self.settings.timeout).as_dict()},
        )

    def execute(
        self,
        call: calls.Call[T],
        *,
        timeout: httpx2.Timeout | None = None,
        max_retries: int | None = None,
        at_once: bool = False,
    ) -> Flow[T]:
        """Make a call: another node at once when one is out of reach, the same again when its answer says so.

        With `at_once`, nodes that are known to be out of reach are left alone, and there is no second round over
        them: the caller has something better to do than to wait.
        """
        retries_left = self.settings.max_retries if max_retries is None else max_retries
        retry = 0
        tried: list[Endpoint] = []
        even_open = not at_once
        error: OpenClawError | None = None
        while True:
            endpoint = self.endpoints.pick(self.now(), tried, even_open=even_open)
            if endpoint is None:  # all were tried
                if error is None:
                    raise APIConnectionError(f"no node can be reached ({', '.join(self.settings.urls)})")
                pause = _pause(error, retry, at_once=at_once) if retry < retries_left else None
                if pause is None:
                    raise error
                yield Pause(pause)
                retry += 1
                tried.clear()
                even_open = even_open or isinstance(error, APIStatusError)  # it said when to come back
                continue
            try:
                response: httpx2.Response = yield Send(self.request(call, endpoint, timeout))
            except httpx2.TransportError as exc:
                lost = self._unreachable(endpoint, exc)
                if lost.maybe_done and not (call.repeatable or (yield from self._knows_keys(endpoint))):
                    raise lost from exc
                error = lost
                tried.append(endpoint)
                continue
            if self._is_answer(call, response):
                self._well(endpoint)
                return self._read(call, response)
            error = self._status_error(call, response)
            remedy = self._remedy(call, response, error, endpoint)
            if remedy is None:
                raise error
            tried.extend([endpoint] if remedy == "elsewhere" else self.endpoints.all)

    def open_stream(self, call: calls.Call[Any], *, again: bool = False) -> Flow[httpx2.Response]:
        """Make a call whose answer does not end. Its head is read; the rest is the caller's, to read and to close."""
        if again:
            yield Pause(_backoff(0) / 4)
        usual = self.settings.timeout
        timeout = httpx2.Timeout(connect=usual.connect, read=SILENCE, write=usual.write, pool=usual.pool)
        tried: list[Endpoint] = []
        retry = 0
        while True:
            endpoint = self.endpoints.pick(self.now(), tried, even_open=True)
            if endpoint is None:
                tried.clear()
                retry += 1
                yield Pause(_backoff(retry - 1))
                continue
            try:
                response: httpx2.Response = yield Send(self.request(call, endpoint, timeout), stream=True)
            except httpx2.TransportError as exc:
                error: OpenClawError = self._unreachable(endpoint, exc)
            else:
                if response.status_code == 200:
                    self._well(endpoint)
                    return response
                error = class_of(response.status_code)(
                    f"{call.method} {call.path}: {response.status_code}", status_code=response.status_code
                )
                yield Close(response)
                if response.status_code < 500:
                    raise error
            tried.append(endpoint)
            if retry >= self.settings.max_retries and len(tried) == len(self.endpoints.all):
                raise error

    def _is_answer(self, call: calls.Call[Any], response: httpx2.Response) -> bool:
        status = response.status_code
        if 200 <= status < 300:
            return True
        # A 429 may also come from a limit on calls, which decides nothing about the bucket.
        return status in call.answers and (status != 429 or b'"allowed"' in response.content)

    def _read(self, call: calls.Call[T], response: httpx2.Response) -> T:
        try:
            return call.parse(response)
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise APIStatusError(
                f"{call.method} {call.path}: the answer cannot be read: {exc!r}",
                status_code=response.status_code,
                response=response,
            ) from exc

    def _unreachable(self, endpoint: Endpoint, exc: httpx2.TransportError) -> APIConnectionError:
        text = f"{endpoint.url}: {str(exc) or type(exc).__name__}"
        kind = APITimeoutError if isinstance(exc, httpx2.TimeoutException) else APIConnectionError
        if not isinstance(exc, httpx2.PoolTimeout):  # that one is about this process, not about the node
            if self.endpoints.unreachable(endpoint, self.now()):
                self.observers.unavailable(endpoint.url, text)
            self.wake()
        error = kind(text, maybe_done=not isinstance(exc, _NOT_SENT))
        error.__cause__ = exc
        return error

    def _well(self, endpoint: Endpoint) -> None:
        if endpoint.open:
            self.observers.recovered(endpoint.url)
        self.endpoints.succeeded(endpoint)

    def _status_error(self, call: calls.Call[Any], response: httpx2.Response) -> APIStatusError:
        status = response.status_code
        problem: dict[str, Any] = {}
        if "json" in response.headers.get("content-type", ""):
            try:
                body = calls.decode(response)
            except ValueError:
                body = None
            problem = body if isinstance(body, dict) else {}
        said = problem.get("detail") or problem.get("title") or response.text[:200] or response.reason_phrase
        kind = class_of(status)
        if status == 404 and call.missing_means:
            kind = FeatureUnavailableError
            said = f"the node has no {call.missing_means}"
            self._missing[call.missing_means] = self.now() + FORGET_MISSING
        return kind(
            f"{call.method} {call.path}: {status}: {said}",
            status_code=status,
            problem=problem,
            request_id=problem.get("request_id") or response.headers.get("x-request-id"),
            retry_after=retry_after(response),
            response=response,
        )

    def _remedy(
        self, call: calls.Call[Any], response: httpx2.Response, error: APIStatusError, endpoint: Endpoint
    ) -> Literal["elsewhere", "later"] | None:
        """What may help against an answer that is no success; None when nothing does."""
        status = response.status_code
        if status >= 500:
            if self.endpoints.answered_badly(endpoint, self.now(), error.retry_after if status == 503 else None):
                self.observers.unavailable(endpoint.url, str(error))
            self.wake()
        else:
            self._well(endpoint)
        told = response.headers.get("x-should-retry")
        if told == "false":
            return None
        if status in (502, 504) and not call.repeatable:
            return None  # what is in between does not know whether the node did it
        if status >= 500 and status not in (501, 505):
            return "elsewhere"
        # 409 with a time to come back: the first try is still on its way.
        if told == "true" or status in (408, 425, 429) or (status == 409 and error.retry_after is not None):
            return "later"
        return None

    def _knows_keys(self, asked: Endpoint) -> Flow[bool]:
        """Whether the nodes answer a repeated idempotency key with the first answer. Their contract tells."""
        known = self._keys_known
        if known is not None and self.now() < known[1]:
            return known[0]
        endpoint = self.endpoints.pick(self.now(), [asked])
        if endpoint is None:
            return False
        try:
            response: httpx2.Response = yield Send(self.request(calls.contract(), endpoint))
        except httpx2.TransportError as exc:
            self._unreachable(endpoint, exc)
            return False
        knows = response.status_code == 200 and "idempotency-key" in response.text.lower()
        self._keys_known = knows, self.now() + 10 * FORGET_MISSING
        return knows

    def lacks(self, feature: str) -> bool:
        """Whether the nodes lately said that they do not have this."""
        return self._missing.get(feature, 0) > self.now()

    def note_lack(self, feature: str) -> None:
        """Do not ask for this for a while."""
        self._missing[feature] = self.now() + FORGET_MISSING

    # --- decisions ----------------------------------------------------------------------------------------------------

    def decide(self, agent: str, tokens: int, policy: InlinePolicy | None) -> Flow[Decision]:
        """Ask for tokens. In an outage the answer comes from here, as `on_unavailable` says."""
        key = agent, policy
        started = self.now()
        call = calls.consume(agent, tokens, policy, lambda response: self._decision(response, key))
        decision = None
        if self.ledger:
            decision = yield from self._pay_first(key, tokens)
        if decision is None:
            decision = yield from self._ask(call, key, tokens)
        self.note_decision(decision, started)
        return decision

    def note_decision(self, decision: Decision, started: int) -> None:
        """Tell those who watch."""
        if decision.allowed:
            consumed_last.set(decision.agent)
        if self.observers:
            self.observers.decision(decision, (self.now() - started) / SECOND)

    def _ask(self, call: calls.Call[Decision], key: BucketKey, tokens: int) -> Flow[Decision]:
        try:
            decision = yield from self.execute(call, at_once=self.settings.on_unavailable != "raise")
        except _UNAVAILABLE as exc:
            if self.settings.on_unavailable == "raise":
                raise
            maybe_done = isinstance(exc, APIConnectionError) and exc.maybe_done
            return self.without_node(key, tokens, call if maybe_done else None)
        due = self._share_due
        if due is not None and self.now() >= due:
            self.wake()
        return decision

    def _decision(self, response: httpx2.Response, key: BucketKey) -> Decision:
        decision = Decision.parse(calls.decode(response))
        rate = None if key[1] is None else per_second(key[1])
        if rate is None and (found := _QUOTA.search(response.headers.get("ratelimit-policy", ""))):
            rate = Fraction(int(found[1]), max(1, int(found[2])))
        if rate is not None:
            self.local.observe(key, Seen(decision.remaining, decision.limit, rate, self.now()))
        return decision

    def without_node(self, key: BucketKey, tokens: int, call: calls.Call[Decision] | None = None) -> Decision:
        """Decide without a node. `call` is a question whose answer got lost: it is reported by asking it again."""
        agent, mode = key[0], self.settings.on_unavailable
        if mode == "deny":
            return self._denied_here(agent, tokens, "deny")
        now = self.now()
        limit = remaining = 0
        if mode == "local":
            verdict = self.local.take(key, tokens, now)
            limit, remaining = verdict.limit, verdict.remaining
            if not verdict.allowed:
                wait = None if verdict.wait is None else verdict.wait / SECOND
                return self._denied_here(agent, tokens, "local", limit, remaining, wait)
        kept = call is not None and self.ledger.add(call, [(key, tokens)])
        if not kept and not self.ledger.owe(key, tokens):  # what cannot be reported later must not be granted now
            self.local.give(key, tokens, now)
            return self._denied_here(agent, tokens, "local" if mode == "local" else "allow")
        self.wake()
        return Decision(True, agent, tokens, limit, remaining, 0.0, None, "local" if mode == "local" else "allow")

    def _denied_here(
        self, agent: str, tokens: int, source: Source, limit: int = 0, remaining: int = 0, wait: float | None = None
    ) -> Decision:
        if wait is None and (probe := self.endpoints.next_probe()) is not None:
            wait = max(0.0, (probe - self.now()) / SECOND)
        return Decision(False, agent, tokens, limit, remaining, wait, None, source)

    # --- debts --------------------------------------------------------------------------------------------------------

    def owe(self, key: BucketKey, tokens: int) -> None:
        """Note consumption that a node has yet to be told of, whatever its bucket has left."""
        if self.ledger.owe(key, tokens):
            self.wake()
        else:
            self.ledger.dropped += tokens
            log.error("no room to note %d tokens of %s: they are not reported", tokens, key[0])

    def report(self, call: calls.Call[Any]) -> None:
        """Have a call made in the background, again and again until it is answered."""
        if self.ledger.add(call):
            self.wake()
        else:
            log.error("no room to keep %s %s: it is not reported", call.method, call.path)

    def _pay_first(self, key: BucketKey, tokens: int) -> Flow[Decision | None]:
        """What a bucket owes comes before what it is asked for. A denial, or None when nothing stands in the way."""
        for _ in range(PAY_ROUNDS):
            if not self.ledger.owed(key) or not self.endpoints.usable():
                return None  # nothing to pay, or nobody to pay to
            wait = self.ledger.not_before(key) - self.now()
            if wait > 0:
                return Decision(False, key[0], tokens, 0, 0, wait / SECOND, None, "local")
            report = self.ledger.carve_one(key)
            if report is None:
                return None
            try:
                if not (yield from self._deliver(report, None)):
                    return None
            except APIConnectionError:
                return None
        return None

    def _deliver(self, report: Report, endpoint: Endpoint | None) -> Flow[bool]:
        """Make a call of the ledger. False when the answer was: not now. Without an answer the call is kept, too."""
        try:
            if endpoint is None:
                result = yield from self.execute(report.call, at_once=True, max_retries=0)
            else:
                result = yield from self._execute_at(report.call, endpoint)
        except APIConnectionError as exc:
            # To count twice is on the safe side of a limit; to give back twice is not.
            if exc.maybe_done and _is_refund(report.call):
                self.ledger.closed(report)
            else:
                self.ledger.put_back(report)
            raise
        except (InternalServerError, RateLimitError):
            self.ledger.put_back(report)
            self.ledger.rest_until(self.now() + SECOND)
            return False
        except APIStatusError as exc:
            self._refused(report, exc)
            self.ledger.closed(report)
            return True
        except BaseException:
            self.ledger.put_back(report)
            raise
        self._delivered(report, result)
        self.ledger.closed(report)
        return True

    def _execute_at(self, call: calls.Call[T], endpoint: Endpoint) -> Flow[T]:
        """One try at one endpoint, whatever is believed of its health."""
        try:
            response: httpx2.Response = yield Send(self.request(call, endpoint))
        except httpx2.TransportError as exc:
            raise self._unreachable(endpoint, exc) from exc
        if self._is_answer(call, response):
            return self._read(call, response)
        raise self._status_error(call, response)

    def _delivered(self, report: Report, result: Any) -> None:
        decisions = result.results if isinstance(result, BatchDecision) else (result,)
        now = self.now()
        for (key, tokens), decision in zip(report.parts, decisions, strict=False):
            if not isinstance(decision, Decision) or decision.allowed:
                continue
            pause = 0 if decision.remaining else min(int((decision.retry_after or 1) * SECOND), LONGEST_DEBT_PAUSE)
            self.ledger.denied(key, tokens, now + pause, ask=decision.remaining)

    def _refused(self, report: Report, exc: APIStatusError) -> None:
        """A report that no repetition helps: try its parts, then halves, then let it go."""
        if isinstance(exc, BadRequestError) and len(report.parts) > 1:
            for key, tokens in report.parts:
                self.ledger.add(calls.consume(key[0], tokens, key[1]), [(key, tokens)])
        elif isinstance(exc, BadRequestError) and report.parts and report.parts[0][1] > 1:
            key, tokens = report.parts[0]
            self.ledger.denied(key, tokens, self.now(), ask=tokens // 2)
        else:
            lost = sum(tokens for _, tokens in report.parts)
            self.ledger.dropped += lost
            log.error("a report was refused and is dropped (%d tokens): %s", lost, exc)

    def _pay(self, endpoint: Endpoint | None) -> Flow[None]:
        """Report what is due, as far as the nodes take it."""
        for _ in range(PAY_ROUNDS):
            while (report := self.ledger.next_call(self.now())) is not None:
                if not (yield from self._deliver(report, endpoint)):
                    return
            batch = self.ledger.carve(self.now())
            if batch is None or not (yield from self._deliver(batch, endpoint)):
                return

    # --- in the background --------------------------------------------------------------------------------------------

    def background(self) -> Flow[float | None]:
        """One round: probe what is out of use, report what is owed. Seconds until the next one is due, or None."""
        for endpoint in self.endpoints.due(self.now()):
            yield from self._probe(endpoint)
        if self.endpoints.usable():
            due = self.ledger.next_due()
            if due is not None and due <= self.now():
                with suppress(APIConnectionError):
                    yield from self._pay(None)
            due = self.feedback.due()
            if due is not None and due <= self.now():
                yield from self.report_feedback()
            if self._share_due is not None and self._share_due <= self.now():
                yield from self._learn_share()
        return self._next_round()

    def _next_round(self) -> float | None:
        now = self.now()
        times = [self.endpoints.next_probe()]
        if self.endpoints.usable():
            times += [self.ledger.next_due(), self.feedback.due()]
        due = min((one for one in times if one is not None), default=None)
        return None if due is None else max(0.005, (due - now) / SECOND)

    def _probe(self, endpoint: Endpoint) -> Flow[None]:
        try:
            response: httpx2.Response = yield Send(self.request(calls.health(), endpoint))
        except httpx2.TransportError:
            self.endpoints.unreachable(endpoint, self.now())
            return
        if response.status_code >= 500:
            self.endpoints.unreachable(endpoint, self.now())
            return
        # What was consumed meanwhile is told before the node is asked for more.
        with suppress(APIConnectionError):
            yield from self._pay(endpoint)
            self._well(endpoint)

    def report_feedback(self) -> Flow[None]:
        """Send the outcomes gathered so far. They are worth nothing later, so a failure drops them."""
        reports = self.feedback.take(self.now())
        if not reports or self.lacks("feedback"):
            return
        try:
            yield from self.execute(calls.feedback(reports), at_once=True, max_retries=0)
        except FeatureUnavailableError:
            pass
        except OpenClawError as exc:
            if isinstance(exc, APIStatusError) and exc.status_code < 500:
                self.note_lack("feedback")
            log.debug("feedback was not taken: %s", exc)

    def _learn_share(self) -> Flow[None]:
        self._share_due = self.now() + REFRESH_SHARE
        try:
            cluster = yield from self.execute(calls.get_cluster(), at_once=True, max_retries=0)
        except OpenClawError as exc:
            log.debug("the number of nodes is not known: %s", exc)
            return
        nodes = sum(one.state in ("ready", "joining", "failed") for one in cluster.members)
        self.local.set_share(min(DEFAULT_SHARE, Fraction(1, max(1, nodes))))

    def flush(self) -> Flow[bool]:
        """Report everything that is owed, as far as a node can be reached. True when nothing is left."""
        if self.endpoints.usable():
            with suppress(APIConnectionError):
                yield from self._pay(None)
            yield from self.report_feedback()
        # What the background is at just now is waited for: it ends with an answer or a timeout.
        for _ in range(FLUSH_STEPS):
            if not self.ledger.under_way:
                break
            yield Pause(FLUSH_STEP)
        return not self.ledger

    def note_model_call(self, call: ModelCall) -> None:
        """Feedback and observers for a call of a model that ended."""
        agent = call.agent or consumed_last.get()
        wanted = agent is not None and not self.lacks("feedback")
        if wanted and self.feedback.note(agent or "", call.seconds, error=call.error is not None, now=self.now()):
            self.wake()
        if self.observers:
            self.observers.model_call(call)

    def after_fork(self) -> None:
        """Begin anew in a child process: no thread, no connection, no debt of the parent's."""
        self.endpoints.after_fork()
        self.local.after_fork()
        self.ledger.after_fork()
        self.feedback.after_fork()
        self.forked()


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds after which to come back, as the answer says; nonsense counts as not said."""
    headers = response.headers
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * scale
        except ValueError:
            seconds = _until(text, headers.get("date"))
        if 0 <= seconds <= 86_400:
            return seconds
    return None


def _until(http_date: str, date: str | None) -> float:
    """Seconds from the answer's own date to another, so that no clock of ours comes in. -1 when there are none."""
    try:
        return (parsedate_to_datetime(http_date) - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError):
        return -1


def _backoff(retry: int) -> float:
    """Half a second, doubling up to eight, less up to a quarter."""
    return min(0.5 * float(1 << min(retry, 10)), LONGEST_WAIT) * (1 - 0.25 * random.random())


def _pause(error: OpenClawError, retry: int, *, at_once: bool) -> float | None:
    """How long to wait after everybody was asked in vain; None for not at all, since it would not help."""
    if not isinstance(error, APIStatusError):
        return None if at_once else _backoff(retry)
    if error.retry_after is not None:
        return _jittered(error.retry_after) if error.retry_after <= LONGEST_WAIT else None
    return None if at_once and error.status_code >= 500 else _backoff(retry)


def _jittered(seconds: float) -> float:
    """Not earlier than told, and not all at once."""
    return seconds * (1 + 0.1 * random.random())


def _param(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=4096)
def _url(base: str, path: str) -> httpx2.URL:
    return httpx2.URL(base + path)


def _is_refund(call: calls.Call[Any]) -> bool:
    return call.path.endswith("/refund")


def _nothing_to_wake() -> None:
    return None


def _after_fork() -> None:
    for core in list(_cores):
        core.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Core", "consumed_last", "retry_after"]
