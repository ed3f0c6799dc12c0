"""What is owed is neither lost nor doubled, however often it is carved, denied and forgiven."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openclaw_rating import InlinePolicy
from openclaw_rating import _calls as calls
from openclaw_rating._ledger import MAX_CHECKS, Ledger, Report

KEYS = [("a", None), ("b", InlinePolicy(10, 10, 60)), ("c", InlinePolicy(5, 1, 1))]
keys = st.sampled_from(KEYS)


class Bookkeeping(RuleBasedStateMachine):
    """An oracle that only adds and subtracts."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger, self.noted, self.gone, self.now = Ledger(10_000), 0, 0, 0
        self.out: list[Report] = []

    @rule(key=keys, tokens=st.integers(1, 40))
    def owe(self, key: tuple[str, InlinePolicy | None], tokens: int) -> None:
        assert self.ledger.owe(key, tokens)
        self.noted += tokens

    @rule(key=keys, tokens=st.integers(1, 40))
    def forgive(self, key: tuple[str, InlinePolicy | None], tokens: int) -> None:
        back = self.ledger.forgive(key, tokens)
        assert back <= tokens
        self.gone += back

    @rule()
    def carve(self) -> None:
        if (report := self.ledger.carve(self.now)) is not None:
            for key, tokens in report.parts:
                assert 0 < tokens <= (key[1].capacity if key[1] else tokens)
            self.out.append(report)

    @rule(key=keys)
    def carve_one(self, key: tuple[str, InlinePolicy | None]) -> None:
        if (report := self.ledger.carve_one(key)) is not None:
            self.out.append(report)

    @rule()
    def take_call(self) -> None:
        if (report := self.ledger.next_call(self.now)) is not None:
            self.out.append(report)

    @precondition(lambda self: self.out)
    @rule()
    def paid(self) -> None:
        report = self.out.pop(0)
        self.gone += sum(tokens for _, tokens in report.parts)
        self.ledger.closed(report)

    @precondition(lambda self: self.out)
    @rule(pause=st.integers(0, 5), ask=st.integers(0, 10))
    def denied(self, pause: int, ask: int) -> None:
        report = self.out.pop(0)
        self.ledger.closed(report)
        for key, tokens in report.parts:
            self.ledger.denied(key, tokens, self.now + pause, ask=ask)

    @precondition(lambda self: self.out)
    @rule()
    def unanswered(self) -> None:
        self.ledger.put_back(self.out.pop(0))

    @rule(key=keys, tokens=st.integers(1, 5))
    def a_lost_answer(self, key: tuple[str, InlinePolicy | None], tokens: int) -> None:
        assert self.ledger.add(calls.consume(key[0], tokens, key[1]), [(key, tokens)])
        self.noted += tokens

    @rule(seconds=st.integers(0, 6))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def everything_is_somewhere(self) -> None:
        assert self.ledger.total + self.gone == self.noted
        assert self.ledger.under_way == bool(self.out)

    @invariant()
    def what_is_owed_comes_due(self) -> None:
        assert (self.ledger.next_due() is not None) or not self.ledger or self.out


TestBookkeeping = Bookkeeping.TestCase


def test_room_is_bounded() -> None:
    ledger = Ledger(2)
    assert ledger.owe(("a", None), 1)
    assert ledger.owe(("b", None), 1)
    assert not ledger.owe(("c", None), 1)
    assert ledger.owe(("a", None), 1)
    for _ in range(2):
        assert ledger.add(calls.consume("a"))
    assert not ledger.add(calls.consume("a"))


def test_a_batch_has_an_end() -> None:
    ledger = Ledger(10_000)
    for number in range(MAX_CHECKS + 1):
        ledger.owe((str(number), None), 1)
    for size in (MAX_CHECKS, 1):
        report = ledger.carve(0)
        assert report is not None
        assert len(report.parts) == size
    assert ledger.carve(0) is None
    assert ledger.total == MAX_CHECKS + 1
