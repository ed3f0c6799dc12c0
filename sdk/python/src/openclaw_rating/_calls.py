"""Every call of the interface as a value: what to send, and how to read the answer. No I/O.

The names and shapes are those of `api/openapi.yaml`; holds, usage, prices and feedback are written for nodes that
have them, and raise `FeatureUnavailableError` with those that do not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from . import _models as m

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
Params = Mapping[str, "str | int | bool | None"]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One logical call. However often it is sent, it keeps its idempotency key.

    Attributes:
        parse: reads the answer; it gets every status in `answers` and every success.
        answers: statuses besides success that are answers and not errors.
        repeatable: doing it twice is the same as doing it once, whether or not the node knows the idempotency key.
        missing_means: a 404 says that the node does not have this route, since the route knows no other.
    """

    method: str
    path: str
    parse: Callable[[httpx2.Response], T]
    params: Params = field(default_factory=dict)
    content: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    answers: tuple[int, ...] = ()
    repeatable: bool = True
    key: str | None = None
    missing_means: str | None = None


def segment(name: str) -> str:
    """A name as one segment of a path."""
    if not name:
        raise ValueError("a name must not be empty")
    if name in (".", ".."):  # a path would swallow these; a node decodes what is percent-encoded
        return name.replace(".", "%2E")
    return quote(name, safe=":@!$&'()*+,;=~")


def encode(body: Any) -> bytes:
    """JSON as it is sent: compact, UTF-8."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode(response: httpx2.Response) -> Any:
    """The JSON of an answer."""
    return json.loads(response.content)


_JSON = (("Content-Type", "application/json"),)


def _write(method: str, path: str, parse: Callable[[httpx2.Response], T], body: Any = None, **more: Any) -> Call[T]:
    content = None if body is None else encode(body)
    headers = () if body is None else _JSON
    return Call(method, path, parse, content=content, headers=headers, **more)


def _post(path: str, parse: Callable[[httpx2.Response], T], body: Any = None, **more: Any) -> Call[T]:
    """A POST has an effect that adds up, so it carries an idempotency key."""
    more.setdefault("repeatable", False)
    return _write("POST", path, parse, body, key=token_hex(16), **more)


def _nothing(_: httpx2.Response) -> None:
    return None


def whole(tokens: int) -> int:
    """Tokens as a node takes them."""
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        raise TypeError(f"tokens must be a whole number, not {tokens!r}")
    if tokens < 1:
        raise ValueError(f"tokens must be at least 1, not {tokens}")
    return tokens


# --- limiter ----------------------------------------------------------------------------------------------------------


def _decision(response: httpx2.Response) -> m.Decision:
    return m.Decision.parse(decode(response))


def consume_body(tokens: int, policy: m.InlinePolicy | None) -> m.JSON:
    """The body that asks for tokens."""
    body: m.JSON = {"tokens": tokens}
    if policy is not None:
        body["policy"] = policy.body()
    return body


def consume(
    agent: str,
    tokens: int = 1,
    policy: m.InlinePolicy | None = None,
    parse: Callable[[httpx2.Response], m.Decision] = _decision,
) -> Call[m.Decision]:
    return _post(f"/v1/agents/{segment(agent)}/consume", parse, consume_body(whole(tokens), policy), answers=(429,))


def consume_batch(checks: Iterable[m.Check], *, atomic: bool = False) -> Call[m.BatchDecision]:
    body: m.JSON = {"checks": [{"agent": one.agent, **consume_body(whole(one.tokens), one.policy)} for one in checks]}
    if atomic:
        body["atomic"] = True
    return _post("/v1/consume", lambda r: m.BatchDecision.parse(decode(r)), body, answers=(429,))


def refund(agent: str, tokens: int, policy: m.InlinePolicy | None = None) -> Call[m.Refund]:
    path = f"/v1/agents/{segment(agent)}/refund"
    return _post(path, lambda r: m.Refund.parse(decode(r)), consume_body(whole(tokens), policy))


def get_agent(agent: str, tokens: int | None = None) -> Call[m.Agent]:
    params = {} if tokens is None else {"tokens": whole(tokens)}
    return Call("GET", f"/v1/agents/{segment(agent)}", lambda r: m.Agent.parse(decode(r)), params)


def list_agents(prefix: str, after: str | None, limit: int | None) -> Call[m.Page]:
    return Call("GET", "/v1/agents", _page("agents", m.AgentSummary.parse), _paging(prefix, after, limit))


def top_agents(count: int) -> Call[m.Page]:
    return Call("GET", "/v1/agents", _page("agents", m.AgentSummary.parse), {"top": count})


def reset_agent(agent: str) -> Call[None]:
    return _post(f"/v1/agents/{segment(agent)}/reset", _nothing, repeatable=True)


def delete_agent(agent: str) -> Call[None]:
    return _write("DELETE", f"/v1/agents/{segment(agent)}", _nothing)


def _paging(prefix: str, after: str | None, limit: int | None) -> Params:
    return {"prefix": prefix or None, "after": after, "limit": limit}


def _page(member: str, parse: Callable[[m.JSON], Any]) -> Callable[[httpx2.Response], m.Page]:
    def read(response: httpx2.Response) -> m.Page:
        body = decode(response)
        return m.Page(tuple(parse(one) for one in body.get(member) or ()), body.get("next"))

    return read


# --- holds ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Denied:
    """A reservation that was denied."""

    decision: m.Decision


def reserve(
    agent: str, tokens: int, policy: m.InlinePolicy | None = None, ttl_seconds: int | None = None
) -> Call[m.Hold | Denied]:
    def read(response: httpx2.Response) -> m.Hold | Denied:
        body = decode(response)
        if body.get("allowed", True):
            return m.Hold.parse(body)
        return Denied(
            m.Decision(
                False,
                agent,
                tokens,
                body.get("limit", 0),
                body.get("remaining", 0),
                body["retry_after_ms"] / 1000 if "retry_after_ms" in body else None,
                violated_policies=tuple(body.get("violated-policies", ())),
            )
        )

    body = consume_body(whole(tokens), policy)
    if ttl_seconds is not None:
        body["ttl_seconds"] = ttl_seconds
    path = f"/v1/agents/{segment(agent)}/reservations"
    return _post(path, read, body, answers=(429,), missing_means="holds")


def settle(hold_id: str, tokens: int, *, final: bool = True) -> Call[m.Settlement]:
    if tokens < 0:
        raise ValueError(f"tokens must not be negative, not {tokens}")
    path = f"/v1/reservations/{segment(hold_id)}/settle"
    body = {"tokens": tokens, "final": final}
    # The total so far: saying it twice changes nothing.
    return _post(path, lambda r: m.Settlement.parse(decode(r)), body, repeatable=True)


def cancel(hold_id: str) -> Call[None]:
    return _write("DELETE", f"/v1/reservations/{segment(hold_id)}", _nothing)


# --- policies ---------------------------------------------------------------------------------------------------------


def _policy(response: httpx2.Response) -> m.Policy:
    return m.Policy.parse(decode(response), response.headers.get("etag"))


def get_policy(name: str) -> Call[m.Policy]:
    return Call("GET", f"/v1/policies/{segment(name)}", _policy)


def put_policy(name: str, body: m.JSON, if_match: str | None, if_none_match: str | None) -> Call[m.Policy]:
    call = _write("PUT", f"/v1/policies/{segment(name)}", _policy, body)
    return _conditional(call, if_match, if_none_match)


def delete_policy(name: str, if_match: str | None) -> Call[None]:
    return _conditional(_write("DELETE", f"/v1/policies/{segment(name)}", _nothing), if_match, None)


def list_policies(prefix: str, after: str | None, limit: int | None) -> Call[m.Page]:
    return Call("GET", "/v1/policies", _page("policies", m.Policy.parse), _paging(prefix, after, limit))


def _conditional(call: Call[T], if_match: str | None, if_none_match: str | None) -> Call[T]:
    headers = call.headers
    if if_match is not None:
        headers += (("If-Match", if_match),)
    if if_none_match is not None:
        headers += (("If-None-Match", if_none_match),)
    # A condition that held may no longer hold once the first try took effect.
    return replace(call, headers=headers, repeatable=headers is call.headers)


# --- store ------------------------------------------------------------------------------------------------------------


def get_key(key: str) -> Call[m.Entry]:
    def read(response: httpx2.Response) -> m.Entry:
        etag = response.headers.get("etag")
        kind = response.headers.get("content-type", "")
        if etag is None:
            return m.Entry(key, "counter", counter=decode(response)["value"])
        return m.Entry(key, "register", response.content, None, kind, etag, _http_date(response.headers.get("expires")))

    return Call("GET", f"/v1/kv/{segment(key)}", read)


def put_key(
    key: str,
    value: bytes | str,
    content_type: str | None,
    ttl_seconds: int | None,
    if_match: str | None,
    if_none_match: str | None,
) -> Call[str]:
    kind = content_type or ("text/plain; charset=utf-8" if isinstance(value, str) else "application/octet-stream")
    raw = value.encode() if isinstance(value, str) else value
    call = Call(
        "PUT",
        f"/v1/kv/{segment(key)}",
        lambda r: str(r.headers.get("etag", "")),
        {"ttl_seconds": ttl_seconds},
        raw,
        (("Content-Type", kind),),
    )
    return _conditional(call, if_match, if_none_match)


def delete_key(key: str, if_match: str | None) -> Call[None]:
    return _conditional(_write("DELETE", f"/v1/kv/{segment(key)}", _nothing), if_match, None)


def increment(key: str, by: int) -> Call[int]:
    return _post(f"/v1/kv/{segment(key)}/increment", lambda r: int(decode(r)["value"]), {"by": by})


def list_keys(prefix: str, after: str | None, limit: int | None, *, values: bool) -> Call[m.Page]:
    params = {**_paging(prefix, after, limit), "values": "1" if values else None}
    return Call("GET", "/v1/kv", _page("keys", m.Entry.parse), params)


def kv_batch(operations: Iterable[Mapping[str, Any]]) -> Call[tuple[m.KVResult, ...]]:
    body = {"operations": [_operation(one) for one in operations]}
    return _post("/v1/kv", lambda r: tuple(m.KVResult.parse(one) for one in decode(r)["results"]), body)


def _operation(operation: Mapping[str, Any]) -> m.JSON:
    """An operation as it is sent: bytes as base64."""
    body = dict(operation)
    if isinstance(value := body.get("value"), (bytes, bytearray)):
        body.pop("value")
        body["value_base64"] = base64.b64encode(value).decode()
    return body


def watch(prefix: str) -> Params:
    return {"watch": "1", "prefix": prefix or None}


def change(event: str, event_id: str, data: str) -> m.Change:
    """Read one event of the change stream."""
    body = json.loads(data) if data else {}
    return m.Change(event, event_id, m.Entry.parse(body) if body.get("key") else None)


def _http_date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime

    if not text:
        return None
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


# --- usage and prices -------------------------------------------------------------------------------------------------


def record_usage(events: Sequence[m.UsageEvent]) -> Call[tuple[m.Charge, ...]]:
    def read(response: httpx2.Response) -> tuple[m.Charge, ...]:
        body = decode(response)
        rows = body.get("results", body.get("events")) if isinstance(body, dict) else body
        return tuple(m.Charge.parse(one) for one in (rows if isinstance(rows, list) else [body]))

    bodies = [one.body(token_hex(16)) for one in events]
    body: Any = bodies[0] if len(bodies) == 1 else {"events": bodies}
    # Events are claimed by their ids, so to send them again is to send them once.
    return _post("/v1/usage", read, body, repeatable=True, missing_means="usage")


def get_usage(agent: str, start: date | None, end: date | None, group_by: str | None) -> Call[m.UsageReport]:
    params: Params = {
        "from": None if start is None else m.utc_day(start),
        "to": None if end is None else m.utc_day(end),
        "group_by": group_by,
    }
    path = f"/v1/agents/{segment(agent)}/usage"
    return Call("GET", path, lambda r: m.UsageReport.parse(decode(r)), params, missing_means="usage")


def get_price(model: str) -> Call[m.Price]:
    return Call("GET", f"/v1/prices/{segment(model)}", lambda r: m.Price.parse(decode(r), model))


def put_price(model: str, body: m.JSON) -> Call[m.Price]:
    path = f"/v1/prices/{segment(model)}"
    return _write("PUT", path, lambda r: m.Price.parse(decode(r), model), body, missing_means="prices")


def delete_price(model: str) -> Call[None]:
    return _write("DELETE", f"/v1/prices/{segment(model)}", _nothing)


def list_prices(prefix: str, after: str | None, limit: int | None) -> Call[m.Page]:
    read = _page("prices", m.Price.parse)
    return Call("GET", "/v1/prices", read, _paging(prefix, after, limit), missing_means="prices")


def feedback(reports: Sequence[m.JSON]) -> Call[None]:
    return _post("/v1/feedback", _nothing, {"reports": list(reports)}, missing_means="feedback")


# --- cluster ----------------------------------------------------------------------------------------------------------


def get_cluster() -> Call[m.Cluster]:
    return Call("GET", "/v1/cluster", lambda r: m.Cluster.parse(decode(r)))


def join_cluster(addresses: Sequence[str]) -> Call[int]:
    body = {"addresses": list(addresses)}
    return _post("/v1/cluster/join", lambda r: int(decode(r)["joined"]), body, repeatable=True)


def leave_cluster() -> Call[None]:
    return _post("/v1/cluster/leave", _nothing)


def forget_member(member: str) -> Call[str]:
    return _post("/v1/cluster/forget", lambda r: str(decode(r)["node"]), {"member": member}, repeatable=True)


def health(which: str = "/readyz") -> Call[m.Health]:
    params = {"verbose": "1"}
    return Call("GET", which, lambda r: m.Health.parse(decode(r)), params, answers=(503,))


def contract() -> Call[str]:
    return Call("GET", "/openapi.yaml", lambda r: r.text)
