"""What calls return: plain values, read-only, with names as the interface has them.

A node may be newer than this package. Members it does not know are ignored here, and stay readable in `raw` where a
value has one.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JSON = dict[str, Any]
Source = Literal["node", "local", "allow", "deny"]
"""Who decided: a node; the bucket in this process; or `on_unavailable="allow"` or `"deny"`, which look at nothing."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one question for tokens. It is true when they were granted.

    Attributes:
        allowed: whether the tokens were taken.
        agent: whose tokens.
        tokens: how many were asked for.
        limit: capacity of the bucket that answered; 0 when none did.
        remaining: whole tokens left in it.
        retry_after: seconds until the same question can pass; 0 when allowed, None when that is unknown.
        reset_after: seconds until the bucket is full; None when that is unknown.
        source: who decided.
        violated_policies: names of the policies that denied.
    """

    allowed: bool
    agent: str
    tokens: int
    limit: int
    remaining: int
    retry_after: float | None = 0.0
    reset_after: float | None = None
    source: Source = "node"
    violated_policies: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed

    @classmethod
    def parse(cls, body: JSON) -> Decision:
        """Read a decision as a node writes it."""
        return cls(
            body["allowed"],
            body["agent"],
            body["tokens"],
            body["limit"],
            body["remaining"],
            body["retry_after_ms"] / 1000,
            body["reset_ms"] / 1000,
            "node",
            tuple(body["violated-policies"]) if "violated-policies" in body else (),
        )


@dataclass(frozen=True, slots=True)
class BatchDecision:
    """The answer to a batch: true when every check was granted.

    Attributes:
        binding: index of the denied check that will be grantable last.
    """

    allowed: bool
    results: tuple[Decision, ...]
    binding: int | None = None

    def __bool__(self) -> bool:
        return self.allowed

    @classmethod
    def parse(cls, body: JSON) -> BatchDecision:
        """Read the answer to a batch, granted or not."""
        return cls(body["allowed"], tuple(Decision.parse(one) for one in body["results"]), body.get("binding"))


@dataclass(frozen=True, slots=True)
class Check:
    """One question of a batch."""

    agent: str
    tokens: int = 1
    policy: InlinePolicy | None = None


@dataclass(frozen=True, slots=True)
class InlinePolicy:
    """A limit that the caller brings along: equal numbers share a bucket."""

    capacity: int
    refill_rate: float
    interval_seconds: float

    def __post_init__(self) -> None:
        if isinstance(self.capacity, bool) or not isinstance(self.capacity, int):
            raise TypeError(f"capacity must be a whole number, not {self.capacity!r}")
        for name in ("capacity", "refill_rate", "interval_seconds"):
            value = getattr(self, name)
            # Six digits after the point are what a node computes with: less would be a rate of nothing.
            if not 1e-6 <= value <= 9_007_199_254:
                raise ValueError(f"{name} must be between 0.000001 and 9007199254, not {value!r}")

    def body(self) -> JSON:
        """As a request has it."""
        return {
            "capacity": self.capacity,
            "refill_rate": decimal(self.refill_rate),
            "interval_seconds": decimal(self.interval_seconds),
        }


def decimal(value: float) -> int | float:
    """A rate or an interval as a node takes it: at most six digits after the point, whole numbers without one."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


@dataclass(frozen=True, slots=True)
class Policy:
    """A limit of all agents whose names its match fits."""

    name: str
    capacity: int
    refill_rate: float
    interval_seconds: float
    match: str = ""
    durability: str = "async"
    floor: int | None = None
    allow_inline: bool = True
    minority: str = ""
    etag: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, body: JSON, etag: str | None = None) -> Policy:
        """Read a policy as a node writes it."""
        return cls(
            body.get("name", ""),
            body["capacity"],
            body["refill_rate"],
            body["interval_seconds"],
            match=body.get("match", ""),
            durability=body.get("durability") or "async",
            floor=body.get("floor"),
            allow_inline=body.get("allow_inline", True),
            minority=body.get("minority", ""),
            etag=etag,
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """What one run of one node consumed of an agent."""

    node: str
    run: str
    consumed: int
    refunded: int
    age: float

    @classmethod
    def parse(cls, body: JSON) -> Origin:
        """Read one row."""
        return cls(body["node"], body["run"], body["consumed"], body["refunded"], body["age_ms"] / 1000)


@dataclass(frozen=True, slots=True)
class Agent:
    """Everything that decides an agent's answers on the node that was asked.

    Attributes:
        level: whole tokens in the bucket; negative in debt.
        consumed: lifetime total over all nodes.
        overshoot_bound: tokens that other nodes may have admitted unseen by this one.
        staleness: age in seconds of the oldest view of another node that matters.
        would_allow: the answer to `tokens=`, or None when that was not asked.
    """

    agent: str
    tenant: str
    policy: Policy
    policy_source: str
    level: int
    limit: int
    consumed: int
    refunded: int
    retry_after: float
    reset_after: float
    overshoot_bound: int
    staleness: float
    origins: tuple[Origin, ...]
    would_allow: bool | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, body: JSON) -> Agent:
        """Read an agent as a node explains it."""
        return cls(
            body["agent"],
            body["tenant"],
            Policy.parse(body["policy"]),
            body["policy_source"],
            body["level"],
            body["limit"],
            body["consumed"],
            body["refunded"],
            body["retry_after_ms"] / 1000,
            body["reset_ms"] / 1000,
            body["overshoot_bound"],
            body["staleness_ms"] / 1000,
            tuple(Origin.parse(one) for one in body["origins"]),
            body.get("would_allow"),
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class AgentSummary:
    """One line of a listing of agents."""

    agent: str
    tenant: str
    policy: str
    level: int
    limit: int
    consumed: int
    refunded: int
    admitted: int = 0

    @classmethod
    def parse(cls, body: JSON) -> AgentSummary:
        """Read one line."""
        return cls(
            body["agent"],
            body["tenant"],
            body["policy"],
            body["level"],
            body["limit"],
            body["consumed"],
            body["refunded"],
            body.get("admitted", 0),
        )


@dataclass(frozen=True, slots=True)
class Refund:
    """What was given back: at most what was consumed."""

    agent: str
    tokens: int
    refunded: int
    limit: int
    remaining: int

    @classmethod
    def parse(cls, body: JSON) -> Refund:
        """Read the answer to a refund."""
        return cls(body["agent"], body["tokens"], body["refunded"], body["limit"], body["remaining"])


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens that a node keeps until they are settled."""

    id: str
    agent: str
    tokens: int
    remaining: int = 0
    expires_at: datetime | None = None

    @classmethod
    def parse(cls, body: JSON) -> Hold:
        """Read the answer to a reservation that was granted."""
        return cls(body["id"], body["agent"], body["tokens"], body.get("remaining", 0), instant(body.get("expires_at")))


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a settled reservation cost in the end.

    Attributes:
        charged: tokens that count as consumed.
        returned: tokens of the reservation that went back.
        overrun: tokens beyond the reservation.
        pending: not yet known to a node; it is reported when one can be reached.
    """

    charged: int
    returned: int = 0
    overrun: int = 0
    state: str = "settled"
    pending: bool = False

    @classmethod
    def parse(cls, body: JSON) -> Settlement:
        """Read the answer to a settle."""
        return cls(
            body.get("charged", 0), body.get("returned", 0), body.get("overrun", 0), body.get("state", "settled")
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """What a key of the store holds.

    Attributes:
        value: the bytes of a register; None for a counter and in listings without values.
        counter: the value of a counter.
        etag: version of a register, for `if_match`.
    """

    key: str
    kind: Literal["register", "counter"]
    value: bytes | None = None
    counter: int | None = None
    content_type: str = ""
    etag: str | None = None
    expires_at: datetime | None = None

    @property
    def text(self) -> str:
        """The value as text."""
        return "" if self.value is None else self.value.decode()

    @classmethod
    def parse(cls, body: JSON) -> Entry:
        """Read a line of a listing, an event, or the result of an operation."""
        counter = body.get("counter")
        return cls(
            body["key"],
            body.get("kind") or ("register" if counter is None else "counter"),
            content(body),
            counter,
            body.get("content_type", ""),
            body.get("etag"),
            instant(body.get("expires_at")),
        )


@dataclass(frozen=True, slots=True)
class KVResult:
    """The outcome of one operation of a batch: the status the same request alone would have had."""

    key: str
    status: int
    entry: Entry | None = None
    problem: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether the operation did what it was to do."""
        return self.status < 400

    @classmethod
    def parse(cls, body: JSON) -> KVResult:
        """Read one result."""
        problem = body.get("problem")
        return cls(body["key"], body["status"], None if problem else Entry.parse(body), problem)


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the change stream.

    Attributes:
        event: `open`, `put`, `delete` or `reset`.
        id: where to resume after this event.
        entry: what the key holds now; None for `open` and `reset`.
    """

    event: str
    id: str
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One node of the cluster, as the node that was asked sees it."""

    name: str
    node: str
    run: str
    state: str
    http_addr: str
    peer_addr: str
    staleness: float
    clock_skew: float
    lag_rows: int
    version: str = ""

    @classmethod
    def parse(cls, body: JSON) -> Member:
        """Read one member."""
        return cls(
            body["name"],
            body["node"],
            body["run"],
            body["state"],
            body["http_addr"],
            body["peer_addr"],
            body["staleness_ms"] / 1000,
            body["clock_skew_ms"] / 1000,
            body["lag_rows"],
            body.get("version", ""),
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """The members, the node that was asked included."""

    name: str
    self: str
    members: tuple[Member, ...]

    @classmethod
    def parse(cls, body: JSON) -> Cluster:
        """Read the cluster."""
        return cls(body["name"], body["self"], tuple(Member.parse(one) for one in body["members"]))


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a node should get traffic, and why not. It is true when it should."""

    status: str
    checks: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.status != "failed"

    @classmethod
    def parse(cls, body: JSON) -> Health:
        """Read the answer of a probe."""
        return cls(body["status"], {one["name"]: one.get("detail") or one["status"] for one in body.get("checks", ())})


@dataclass(frozen=True, slots=True)
class Charge:
    """What a usage event costs: money as decimal strings, exactly as the node said.

    Attributes:
        total: empty when no price is known; the event is priced once there is one.
        price_version: the `model` glob and the `effective_from` of the price.
        error: of several events, why this one was refused; empty when it was not.
    """

    event_id: str
    total: str
    currency: str
    items: tuple[Mapping[str, Any], ...] = ()
    price_version: Mapping[str, Any] | None = None
    duplicate: bool = False
    error: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, body: JSON) -> Charge:
        """Read a rated event."""
        return cls(
            body.get("event_id", ""),
            body.get("total", ""),
            body.get("currency", ""),
            tuple(body.get("items") or ()),
            body.get("price_version"),
            bool(body.get("duplicate", False)),
            (body.get("problem") or {}).get("detail", ""),
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What an agent used from one day to another (UTC, both included), rated.

    Attributes:
        unpriced: some items have no `amount`, since their model has no price.
    """

    agent: str
    start: date | None
    end: date | None
    currency: str
    total: str
    items: tuple[Mapping[str, Any], ...] = ()
    unpriced: bool = False

    @classmethod
    def parse(cls, body: JSON) -> UsageReport:
        """Read the totals of an agent."""
        return cls(
            body.get("agent", ""),
            day(body.get("from")),
            day(body.get("to")),
            body.get("currency", ""),
            body.get("total", "0"),
            tuple(body.get("items") or ()),
            bool(body.get("unpriced", False)),
        )


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """Something that was used, to be rated once however often it is sent.

    Attributes:
        event_id: the same for every try to record the same event; made up when empty.
        consume: also take the tokens from the agent's bucket.
    """

    agent: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    event_id: str = ""
    occurred_at: datetime | None = None
    consume: bool = False

    def body(self, event_id: str) -> JSON:
        """As a request has it: zeros and what is not set stay out."""
        body: JSON = {"event_id": self.event_id or event_id, "agent": self.agent, "model": self.model}
        for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"):
            if value := getattr(self, name):
                body[name] = value
        if self.occurred_at is not None:
            body["occurred_at"] = rfc3339(self.occurred_at)
        if self.consume:
            body["consume"] = True
        return body


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs: money as decimal strings."""

    model: str
    currency: str
    input_per_million: str
    output_per_million: str
    cached_input_per_million: str | None = None
    reasoning_per_million: str | None = None
    per_request: str | None = None
    effective_from: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, body: JSON, model: str = "") -> Price:
        """Read a price as a node writes it."""
        return cls(
            body.get("model") or body.get("name") or model,
            body.get("currency", ""),
            body.get("input_per_million", "0"),
            body.get("output_per_million", "0"),
            body.get("cached_input_per_million"),
            body.get("reasoning_per_million"),
            body.get("per_request"),
            instant(body.get("effective_from")),
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of a listing, in order; pass `next` as `after` to get the following ones."""

    items: tuple[Any, ...]
    next: str | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a model says it used. Cached and reasoning tokens are parts of input and output, not additions."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class Completion(TypedDict):
    """What `invoke_ai` returns: a plain dict."""

    text: str
    model: str
    finish_reason: str | None
    usage: TokenUsage | None
    charged: int | None
    raw: JSON


def instant(text: str | None) -> datetime | None:
    """Read an RFC 3339 instant."""
    if not text:
        return None
    # Python 3.10 reads neither Z nor a fraction that is not of 3 or 6 digits.
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        head = f"{head}.{digits[:6]:0<6}"
        text = head + rest[len(digits) :]
        return datetime.fromisoformat(text)
    return datetime.fromisoformat(head)


def day(text: str | None) -> date | None:
    """Read a day."""
    return date.fromisoformat(text[:10]) if text else None


def utc_day(moment: date) -> str:
    """The day in UTC: of an instant, or the day itself."""
    if isinstance(moment, datetime):
        moment = moment.astimezone(timezone.utc).date()
    return moment.isoformat()


def rfc3339(moment: datetime) -> str:
    """Write an instant. It must know its offset from UTC."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone: datetime.now(timezone.utc)")
    return moment.isoformat().replace("+00:00", "Z")


def content(body: JSON) -> bytes | None:
    """The bytes of a register inside JSON, where text stands as text and anything else as base64."""
    if (text := body.get("value")) is not None:
        return str(text).encode()
    if (encoded := body.get("value_base64")) is not None:
        return base64.b64decode(encoded)
    return None
