"""The whole surface against a real node, blocking."""

from __future__ import annotations

import threading

import httpx2
import pytest

from openclaw_rating import (
    BadRequestError,
    Check,
    InlinePolicy,
    NotFoundError,
    OpenClawClient,
    PreconditionFailedError,
    RateLimitError,
    TokenBucket,
)
from openclaw_rating.testing import ClawdProcess
from waiting import eventually


def test_a_bucket_grants_its_capacity_and_then_denies(bucket: TokenBucket, key: str) -> None:
    assert sum(bucket.consume(key) for _ in range(110)) in (100, 101)  # one may have come back meanwhile
    denied = bucket.try_consume(key, tokens=50)
    assert not denied
    assert denied.source == "node"
    assert denied.limit == 100
    assert denied.retry_after is not None
    assert 1500 < denied.retry_after < 1900
    with pytest.raises(RateLimitError) as caught:
        bucket.acquire(key, 50, wait=0.2)
    assert caught.value.decision is not None
    assert caught.value.status_code == 429


def test_tokens_are_waited_for(client: OpenClawClient, key: str) -> None:
    bucket = TokenBucket(client=client, capacity=1, refill_rate=20, interval_seconds=1)
    for _ in range(3):
        assert bucket.acquire(key)


def test_give_back(bucket: TokenBucket, key: str) -> None:
    assert bucket.consume(key, 100)
    assert bucket.refund(key, 60) == 60
    assert bucket.consume(key, 60)


def test_reservations_end_in_what_was_used(bucket: TokenBucket, client: OpenClawClient, key: str) -> None:
    with bucket.reserve(key, 80) as reservation:
        reservation.use(30)
    assert reservation.settlement is not None
    assert reservation.settlement.charged == 30
    assert consumed(client, key) == 30
    with bucket.reserve(key, 10):
        pass
    assert consumed(client, key) == 40
    with pytest.raises(KeyError), bucket.reserve(key, 10):
        raise KeyError
    assert consumed(client, key) == 40
    with bucket.reserve(key, 10) as reservation:
        reservation.add(5)
        reservation.add(8)
    eventually(lambda: consumed(client, key) == 53)
    with pytest.raises(RateLimitError):
        bucket.reserve(key, 100)


def consumed(client: OpenClawClient, key: str) -> int:
    agent = client.agents.get(key)
    return agent.consumed - agent.refunded


def test_streams_are_metered(bucket: TokenBucket, client: OpenClawClient, key: str) -> None:
    assert list(bucket.stream(key, "abcdef", estimate=50)) == list("abcdef")
    assert consumed(client, key) == 6
    for letter in bucket.stream(key, "abcdef", estimate=50, count=lambda _: 2):
        if letter == "c":
            break
    eventually(lambda: consumed(client, key) == 12)

    def breaking() -> object:
        yield "a"
        raise LookupError

    with pytest.raises(LookupError):
        list(bucket.stream(key, breaking(), estimate=50))  # type: ignore[arg-type]
    eventually(lambda: consumed(client, key) == 13)


def test_functions_are_limited(client: OpenClawClient, key: str) -> None:
    bucket = TokenBucket(client=client, capacity=3, refill_rate=1, interval_seconds=3600)

    @bucket.limit(key + ":{agent_id}", tokens=lambda prompt, agent_id="1": len(prompt))
    def ask(prompt: str, agent_id: str = "1") -> str:
        return prompt.upper()

    assert ask("ab") == "AB"
    assert ask.__name__ == "ask"
    with pytest.raises(RateLimitError):
        ask("ab")
    assert ask("abc", agent_id="2") == "ABC"


def test_the_nodes_policies_count_where_a_bucket_has_no_numbers(client: OpenClawClient, key: str) -> None:
    client.policies.put("seven", match=key, capacity=7, refill_rate=1, interval_seconds=3600)
    bucket = TokenBucket(client=client)
    assert sum(bucket.consume(key) for _ in range(10)) == 7
    client.policies.delete("seven")


def test_batches(client: OpenClawClient, key: str) -> None:
    policy = InlinePolicy(5, 1, 3600)
    checks = [Check(key, 3, policy), Check(key + "b", 9, InlinePolicy(9, 1, 3600))]
    assert client.agents.consume_batch(checks, atomic=True)
    again = client.agents.consume_batch(checks, atomic=True)
    assert not again
    assert again.binding == 1
    single = client.agents.consume_batch([Check(key, 2, policy), Check(key, 2, policy)])
    assert [one.allowed for one in single.results] == [True, False]


def test_agents_are_explained_and_listed(client: OpenClawClient, key: str) -> None:
    assert client.agents.consume(key, 5)
    agent = client.agents.get(key)
    assert (agent.consumed, agent.limit, agent.policy.capacity, agent.policy_source) == (5, 1000, 1000, "default")
    assert agent.origins
    assert agent.origins[0].consumed == 5
    assert agent.raw["tenant"] == "default"
    assert client.agents.peek(key, 995)
    assert not client.agents.peek(key, 1000)
    assert key in [one.agent for one in client.agents.iterate(prefix=key)]
    assert client.agents.top(10)
    assert client.agents.refund(key, 2).refunded == 2
    client.agents.reset(key)
    assert client.agents.get(key).level == 1000
    client.agents.delete(key)
    assert client.agents.get(key).consumed == 0


def test_pages_follow_one_another(client: OpenClawClient, key: str) -> None:
    for number in range(5):
        client.agents.consume(f"{key}-{number}")
    page = client.agents.list(prefix=key, limit=2)
    assert len(page) == 2
    following = client.agents.list(prefix=key, after=page.next, limit=2)
    assert [one.agent for one in page] + [one.agent for one in following] == [f"{key}-{n}" for n in range(4)]


def test_policies(client: OpenClawClient) -> None:
    made = client.policies.put(
        "py-paid", match="py-paid:*", capacity=50, refill_rate=0.5, interval_seconds=1.5, durability="sync",
        floor=10, allow_inline=False,
    )  # fmt: skip
    assert (made.capacity, made.refill_rate, made.durability, made.allow_inline) == (50, 0.5, "sync", False)
    got = client.policies.get("py-paid")
    assert got == made
    assert got.etag
    with pytest.raises(PreconditionFailedError):
        client.policies.put("py-paid", capacity=1, refill_rate=1, interval_seconds=1, if_none_match="*")
    assert "py-paid" in [one.name for one in client.policies.iterate()]
    assert [one.name for one in client.policies.list(prefix="py-")] == ["py-paid"]
    client.policies.delete("py-paid", if_match=got.etag)
    with pytest.raises(NotFoundError):
        client.policies.get("py-paid")


def test_the_store(client: OpenClawClient) -> None:
    etag = client.kv.put("py/a b?c#é", "grüezi")
    entry = client.kv.get("py/a b?c#é")
    assert (entry.text, entry.kind, entry.etag) == ("grüezi", "register", etag)
    assert entry.content_type.startswith("text/plain")
    client.kv.put("py/bytes", b"\x00\xff", ttl_seconds=60)
    stored = client.kv.get("py/bytes")
    assert stored.value == b"\x00\xff"
    assert stored.expires_at is not None
    with pytest.raises(PreconditionFailedError):
        client.kv.put("py/bytes", b"", if_match='"other"')
    assert client.kv.increment("py/n", 5) == 5
    assert client.kv.increment("py/n", -2) == 3
    assert client.kv.get("py/n").counter == 3
    entries = {one.key: one for one in client.kv.iterate(prefix="py/", values=True)}
    assert entries["py/bytes"].value == b"\x00\xff"
    assert entries["py/n"].counter == 3
    results = client.kv.batch(
        [
            {"op": "put", "key": "py/x", "value": b"\xfe"},
            {"op": "get", "key": "py/x"},
            {"op": "increment", "key": "py/x"},
            {"op": "delete", "key": "py/x"},
        ]
    )
    assert [one.ok for one in results] == [True, True, False, True]
    assert results[1].entry is not None
    assert results[1].entry.value == b"\xfe"
    assert results[2].problem
    client.kv.delete("py/n")
    with pytest.raises(NotFoundError):
        client.kv.get("py/n")


def test_changes_are_watched(clawd: ClawdProcess, client: OpenClawClient) -> None:
    seen = []
    opened, done = threading.Event(), threading.Event()

    def watch() -> None:
        with OpenClawClient(base_url=clawd.url) as other:
            for change in other.kv.watch(prefix="watch/"):
                seen.append(change)
                opened.set()
                if change.event == "delete":
                    break
        done.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert opened.wait(30)
    client.kv.put("watch/a", "1")
    eventually(lambda: any(one.event == "put" for one in seen))
    client.kv.delete("watch/a")
    assert done.wait(30)
    thread.join(30)
    assert seen[0].event == "open"
    put = next(one for one in seen if one.event == "put")
    assert put.entry is not None
    assert put.entry.text == "1"
    assert put.id


def test_the_cluster(client: OpenClawClient) -> None:
    cluster = client.cluster.get()
    assert [one.state for one in cluster.members] == ["ready"]
    assert client.cluster.ready()
    assert client.cluster.alive().status == "ok"


def test_errors_name_what_was_wrong(client: OpenClawClient, key: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.agents.consume(key, 2000)
    assert caught.value.field == "tokens"
    assert caught.value.request_id
    with pytest.raises(BadRequestError):
        TokenBucket(client=client, capacity=5, refill_rate=1).consume(key, 6)


def test_options_for_some_calls_share_everything_else(client: OpenClawClient) -> None:
    patient = client.with_options(timeout=30, max_retries=0)
    assert patient.cluster.get() == client.cluster.get()
    assert patient._core is client._core


def test_a_client_that_was_given_stays_open(clawd: ClawdProcess, key: str) -> None:
    with httpx2.Client(trust_env=False) as http:
        with OpenClawClient(base_url=clawd.url, http_client=http) as client:
            assert TokenBucket(client=client, capacity=5).consume(key)
        assert http.get(clawd.url + "/livez").status_code == 200


def test_the_environment_configures(clawd: ClawdProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_URL", f"http://127.0.0.1:9, {clawd.url}/")
    monkeypatch.setenv("OPENCLAW_API_KEY", "from-the-environment")
    with OpenClawClient() as client:
        assert client.cluster.get().members
        assert client._core.settings.api_key == "from-the-environment"


def test_many_threads_share_a_client(client: OpenClawClient, key: str) -> None:
    bucket = TokenBucket(client=client, capacity=200, refill_rate=1, interval_seconds=3600)
    granted = [0] * 8

    def work(number: int) -> None:
        granted[number] = sum(bucket.consume(key) for _ in range(40))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 200
    assert consumed(client, key) == 200
