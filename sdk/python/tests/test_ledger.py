"""What is owed is neither lost nor doubled, however often it is carved, denied and forgiven."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openclaw_rating import InlinePolicy
from openclaw_rating import _calls as calls
from openclaw_rating._ledger import MAX_CHECKS, Ledger

KEYS = [("a", None), ("b", InlinePolicy(10, 10, 60)), ("c", InlinePolicy(5, 1, 1))]
keys = st.sampled_from(KEYS)


class Bookkeeping(RuleBasedStateMachine):
    """An oracle that only adds and subtracts."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger, self.noted, self.gone, self.now = Ledger(100), 0, 0, 0
        self.out: list[tuple[tuple[str, InlinePolicy | None], int]] = []

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
        parts = self.ledger.carve(self.now)
        assert all(0 < tokens <= (key[1].capacity if key[1] else tokens) for key, tokens in parts)
        self.out += parts

    @rule(key=keys)
    def carve_one(self, key: tuple[str, InlinePolicy | None]) -> None:
        if part := self.ledger.carve_one(key):
            self.out.append((key, part))

    @rule()
    def pay(self) -> None:
        self.gone += sum(tokens for _, tokens in self.out)
        self.out = []

    @rule(pause=st.integers(0, 5), ask=st.integers(0, 10))
    def deny(self, pause: int, ask: int) -> None:
        for key, tokens in self.out:
            self.ledger.denied(key, tokens, self.now + pause, ask=ask)
        self.out = []

    @rule()
    def send(self) -> None:
        for key, tokens in self.out:
            assert self.ledger.add(calls.consume(key[0], tokens, key[1]), [(key, tokens)])
        self.out = []

    @rule(back=st.booleans())
    def answer(self, back: bool) -> None:
        if (report := self.ledger.next_call(self.now)) is not None:
            if back:
                self.ledger.put_back(report)
            else:
                self.gone += sum(tokens for _, tokens in report.parts)

    @rule(seconds=st.integers(0, 6))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def everything_is_somewhere(self) -> None:
        out = sum(tokens for _, tokens in self.out)
        assert self.ledger.total + out + self.gone == self.noted

    @invariant()
    def what_is_owed_comes_due(self) -> None:
        assert (self.ledger.next_due() is None) == (not self.ledger)


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
    assert len(ledger.carve(0)) == MAX_CHECKS
    assert len(ledger.carve(0)) == 1
