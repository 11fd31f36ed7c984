"""The pace of a search, against a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench import pace as pacing
from bench.pace import AT_ONCE, LEAST_ROUNDS, ROUNDS, SLOW_SECONDS, pace

TEXTS = [f"text {number}" for number in range(250)]


class Clock:
    """Time that passes only while something is searched."""

    def __init__(self, spent: Sequence[float]) -> None:
        self.now, self.spent = 0.0, list(spent)
        self.asked: list[Sequence[str]] = []

    def perf_counter(self) -> float:
        return self.now

    def search(self, texts: Sequence[str]) -> None:
        self.now += self.spent[len(self.asked) % len(self.spent)]
        self.asked.append(texts)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock([0.05, 0.1, 0.2])
    monkeypatch.setattr(pacing, "time", found)
    return found


def test_it_is_the_median_of_the_rounds_with_its_interval(clock: Clock) -> None:
    found = pace(clock.search, TEXTS, known=0.25)
    assert len(clock.asked) == ROUNDS
    assert found.value == pytest.approx(AT_ONCE / 0.1)
    assert AT_ONCE / 0.2 <= found.low <= found.value <= found.high <= AT_ONCE / 0.05


def test_each_round_asks_the_next_texts(clock: Clock) -> None:
    pace(clock.search, TEXTS, known=0.25)
    first, second, third = clock.asked[:3]
    assert [*first, *second, *third] == [*TEXTS, *TEXTS[:50]]


def test_it_ends_after_its_seconds_with_enough_rounds(clock: Clock) -> None:
    clock.spent = [2.0]
    assert pace(clock.search, TEXTS, known=5.0).value == pytest.approx(50)
    assert len(clock.asked) == LEAST_ROUNDS


def test_a_slow_one_is_not_asked_again(clock: Clock) -> None:
    known = 2 * SLOW_SECONDS / LEAST_ROUNDS * len(TEXTS) / AT_ONCE
    found = pace(clock.search, TEXTS, known=known)
    assert not clock.asked
    assert found.value == found.low == found.high == pytest.approx(len(TEXTS) / known)


def test_without_texts_there_is_no_pace(clock: Clock) -> None:
    with pytest.raises(ValueError, match="nothing to ask"):
        pace(clock.search, [], known=1.0)
