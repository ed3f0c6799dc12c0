"""Prices, usage and bills against a real node."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from openclaw_rating import (
    APIStatusError,
    AsyncOpenClawClient,
    ConflictError,
    NotFoundError,
    OpenClawClient,
    UsageEvent,
)
from openclaw_rating.testing import ClawdProcess


def test_usage_is_priced_once(client: OpenClawClient, key: str) -> None:
    price = client.prices.put(key, currency="USD", input_per_million="2.50", output_per_million="10")
    assert (price.model, price.input_per_million, price.output_per_million) == (key, "2.5", "10")
    assert client.prices.get(key) == price
    assert price.model in [one.model for one in client.prices.list(prefix=key)]

    event = UsageEvent(key, key, 1200, 300, cached_input_tokens=200, event_id=f"{key}-1")
    charge = client.usage.record(event)
    assert (charge.total, charge.currency, charge.duplicate) == ("0.006", "USD", False)
    assert sorted(item["meter"] for item in charge.items) == ["cached_input", "input", "output", "requests"]
    again = client.usage.record(event)
    assert (again.total, again.duplicate) == ("0.006", True)
    with pytest.raises(ConflictError):
        client.usage.record(UsageEvent(key, key, 1, 1, event_id=f"{key}-1"))

    now = datetime.now(timezone.utc)
    for report in (client.usage.get(key), client.usage.get(key, start=now - timedelta(days=1), end=now.date())):
        assert (report.agent, report.currency, report.total) == (key, "USD", "0.006")
        assert report.items[0]["requests"] == 1
        assert not report.unpriced
    assert client.usage.get(key, group_by="day").items[0]["amount"] == "0.006"


def test_of_several_events_the_bad_ones_are_refused_alone(client: OpenClawClient, key: str) -> None:
    old = datetime.now(timezone.utc) - timedelta(days=2)
    fresh, late = client.usage.record_many(
        [UsageEvent(key, "unpriced", 1, 2), UsageEvent(key, "unpriced", 1, 2, occurred_at=old)]
    )
    assert (fresh.total, fresh.error) == ("", "")
    assert "too old" in late.error
    with pytest.raises(APIStatusError) as caught:
        client.usage.record(UsageEvent(key, "unpriced", 1, 2, occurred_at=old))
    assert caught.value.status_code == 422
    assert client.usage.get(key).unpriced


def test_a_price_in_force_stays(client: OpenClawClient, key: str) -> None:
    client.prices.put(key, currency="USD", input_per_million="1", output_per_million="1")
    with pytest.raises(ConflictError):
        client.prices.delete(key)
    with pytest.raises(NotFoundError):
        client.prices.delete(key + "-nobody")


async def test_usage_awaited(clawd: ClawdProcess, key: str) -> None:
    async with AsyncOpenClawClient(base_url=clawd.url) as client:
        first, second = await client.usage.record_many([UsageEvent(key, "m", 1, 2), UsageEvent(key, "m", 1, 2)])
        assert first.event_id != second.event_id
        assert (await client.usage.get(key)).items[0]["requests"] == 2
