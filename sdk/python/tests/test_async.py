"""What awaits does what blocks does: the same surface, against a real node."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest

import openclaw_rating as sdk
from openclaw_rating import AsyncOpenClawClient, AsyncTokenBucket, OpenClawClient, RateLimitError, TokenBucket
from openclaw_rating.testing import ClawdProcess
from waiting import PATIENT, eventually_async


@pytest.fixture
async def aclient(clawd: ClawdProcess) -> AsyncIterator[AsyncOpenClawClient]:
    async with AsyncOpenClawClient(base_url=clawd.url, timeout=PATIENT) as client:
        yield client


@pytest.fixture
def abucket(aclient: AsyncOpenClawClient) -> AsyncTokenBucket:
    return AsyncTokenBucket(client=aclient, capacity=100, refill_rate=1, interval_seconds=3600)


async def used(client: AsyncOpenClawClient, key: str) -> int:
    agent = await client.agents.get(key)
    return agent.consumed - agent.refunded


async def test_many_tasks_share_a_limit(abucket: AsyncTokenBucket, key: str) -> None:
    answers = await asyncio.gather(*(abucket.consume(key) for _ in range(150)))
    assert sum(answers) == 100
    denied = await abucket.try_consume(key, 2)
    assert denied.retry_after is not None
    with pytest.raises(RateLimitError):
        await abucket.acquire(key, wait=False)


async def test_waiting_does_not_hold_up_the_loop(aclient: AsyncOpenClawClient, key: str) -> None:
    bucket = AsyncTokenBucket(client=aclient, capacity=1, refill_rate=20, interval_seconds=1)
    await asyncio.gather(*(bucket.acquire(key) for _ in range(4)))
    assert await used(aclient, key) == 4


async def test_reservations(abucket: AsyncTokenBucket, aclient: AsyncOpenClawClient, key: str) -> None:
    async with await abucket.reserve(key, 80) as reservation:
        reservation.use(30)
    assert await used(aclient, key) == 30
    with pytest.raises(KeyError):
        async with await abucket.reserve(key, 10):
            raise KeyError
    assert await used(aclient, key) == 30


async def test_a_cancelled_task_gives_back_what_it_kept(
    abucket: AsyncTokenBucket, aclient: AsyncOpenClawClient, key: str
) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with await abucket.reserve(key, 60):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def given_back() -> bool:
        return await used(aclient, key) == 0

    await eventually_async(given_back)


async def test_streams_and_decorators(abucket: AsyncTokenBucket, aclient: AsyncOpenClawClient, key: str) -> None:
    async def chunks() -> AsyncIterator[str]:
        for letter in "abc":
            yield letter

    @abucket.limit(key + ":{agent_id}")
    async def ask(agent_id: str) -> str:
        return agent_id

    assert [one async for one in abucket.stream(key, chunks(), estimate=50, settle_every=1)] == ["a", "b", "c"]
    assert await used(aclient, key) == 3
    assert await ask("7") == "7"
    assert await used(aclient, key + ":7") == 1


async def test_resources(aclient: AsyncOpenClawClient, key: str) -> None:
    assert (await aclient.cluster.get()).members
    await aclient.kv.put("async/a", "1")
    assert (await aclient.kv.get("async/a")).text == "1"
    assert [one.key async for one in aclient.kv.iterate(prefix="async/")] == ["async/a"]
    async for change in aclient.kv.watch(prefix="async/"):
        assert change.event == "open"
        break
    await aclient.kv.delete("async/a")


async def test_a_loop_that_ends_ends_what_goes_on_behind_it(key: str) -> None:
    """Also when the cancellation comes together with news: asyncio.wait_for would lose it before Python 3.12."""
    async with AsyncOpenClawClient(base_url="http://127.0.0.1:9") as client:
        await AsyncTokenBucket(client=client, capacity=10).consume(key)
        driver = client._driver
        await asyncio.sleep(0)
        task = driver._task
        assert task is not None

        async def pausing() -> bool:
            return bool(driver._woken._waiters)

        await eventually_async(pausing)
        driver._woken.set()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=30)
        assert done
        assert task.cancelled()


def test_one_client_may_see_several_loops(clawd: ClawdProcess, key: str) -> None:
    client = AsyncOpenClawClient(base_url=clawd.url)
    bucket = AsyncTokenBucket(client=client, capacity=100)

    async def twice() -> bool:
        return await bucket.consume(key) and await bucket.consume(key)

    async def last() -> None:
        assert await used(client, key) == 4
        await client.close()

    assert asyncio.run(_closing(client, twice()))
    assert asyncio.run(_closing(client, twice()))
    asyncio.run(last())


async def _closing(client: AsyncOpenClawClient, work: object) -> object:
    result = await work  # type: ignore[misc]
    await client._driver._http.aclose()  # sockets of a loop that ends are closed in it
    return result


@pytest.mark.parametrize(
    ("blocking", "awaiting"),
    [
        (OpenClawClient, AsyncOpenClawClient),
        (TokenBucket, AsyncTokenBucket),
        (sdk.Reservation, sdk.AsyncReservation),
        *[
            (type(getattr(OpenClawClient("k"), name)), type(getattr(AsyncOpenClawClient("k"), name)))
            for name in ("agents", "policies", "kv", "usage", "prices", "cluster")
        ],
    ],
)
def test_both_have_the_same_methods_with_the_same_arguments(blocking: type, awaiting: type) -> None:
    def surface(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(value).parameters)
            for name, value in vars(kind).items()
            if not name.startswith("_") and callable(value)
        }

    assert surface(blocking) == surface(awaiting)
    assert surface(blocking)
