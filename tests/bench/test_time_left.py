"""What is left of a run, against a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.time_left import TimeLeft, in_words, longest_worker


@dataclass
class HandSet:
    """A clock that stands still until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_claimed_before_anything_is_known() -> None:
    clock = HandSet()
    left = TimeLeft({"a": ["cart", "cart"]}, {}, clock=clock)
    assert left.seconds() is None
    left.began("a")
    clock.now += 30
    assert left.seconds() is None
    left.ended("a", done=True)
    assert left.seconds() == 30


def test_a_cell_takes_what_its_own_kind_took_in_this_run_or_before() -> None:
    clock = HandSet()
    left = TimeLeft({"a": ["quick", "slow", "quick", "slow"]}, {"slow": [60, 80]}, 1, clock)
    left.began("a")
    clock.now += 10
    left.ended("a", done=True)
    assert left.seconds() == 70 + 10 + 70
    left.began("a")
    clock.now += 25
    assert left.seconds() == (70 - 25) + 10 + 70
    clock.now += 75
    assert left.seconds() == 0 + 10 + 70
    left.ended("a", done=True)
    # This run is believed before earlier ones.
    assert left.seconds() == 10 + 100


def test_one_kind_says_nothing_of_another() -> None:
    clock = HandSet()
    left = TimeLeft({"a": ["quick", "slow"]}, {}, 1, clock)
    left.began("a")
    clock.now += 10
    left.ended("a", done=True)
    assert left.seconds() is None


def test_what_failed_teaches_nothing() -> None:
    clock = HandSet()
    left = TimeLeft({"a": ["x", "x"]}, {}, clock=clock)
    left.began("a")
    clock.now += 3
    left.ended("a", done=False)
    assert left.seconds() is None
    left.began("a")
    left.ended("a", done=False)
    assert left.seconds() == 0


def test_lanes_side_by_side_share_the_workers() -> None:
    clock = HandSet()
    lanes = {"a": ["x", "x"], "b": ["x"], "c": ["x", "x"]}
    known = {"x": [10.0]}
    assert TimeLeft(lanes, known, 1, clock).seconds() == 50
    assert TimeLeft(lanes, known, 3, clock).seconds() == 20
    left = TimeLeft(lanes, known, 2, clock)
    assert left.seconds() == 30
    left.began("a")
    left.began("b")
    clock.now += 4
    assert left.seconds() == 26
    clock.now += 6
    left.ended("b", done=True)
    left.began("c")
    # a: nothing of its first and all of its second; c: all of both.
    assert left.seconds() == 20


@given(st.lists(st.floats(0, 100), max_size=8), st.integers(1, 4))
def test_workers_are_never_better_than_a_fair_share_nor_worse_than_one_alone(
    lengths: list[float], workers: int
) -> None:
    found = longest_worker(lengths, workers)
    assert found >= max([*lengths, sum(lengths) / workers]) - 1e-9
    assert found <= sum(lengths) + 1e-9
    assert found == pytest.approx(by_steps(lengths, workers))


def by_steps(lengths: Sequence[float], workers: int) -> float:
    """The slow way: events in the order of time."""
    queue, busy, now = list(lengths), list[float](), 0.0
    while queue or busy:
        while queue and len(busy) < workers:
            busy.append(now + queue.pop(0))
        now = min(busy)
        busy.remove(now)
    return now


def test_words_grow_coarser_with_the_time() -> None:
    told = {
        None: "time left not known yet",
        0: "a few seconds left",
        31: "about 40 s left",
        56: "about 60 s left",
        100: "about 100 s left",
        118: "about 2 min left",
        12 * 60 + 10: "about 12 min left",
        80 * 60: "about 80 min left",
        2 * 3600 + 60: "about 2 h left",
        2 * 3600 + 1150: "about 2 h 20 min left",
    }
    assert {seconds: in_words(seconds) for seconds in told} == told


@pytest.mark.parametrize("seconds", [*range(10, 300, 7), *range(300, 6 * 3600, 211)])
def test_words_are_never_far_off(seconds: int) -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    words = in_words(seconds).removeprefix("about ").removesuffix(" left").split()
    said = sum(int(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert abs(said - seconds) <= max(10, 0.21 * seconds)
