"""What of a timed run counts: windows, steadiness, percentiles, arrivals, batches, agreement."""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.speed.agreement import agreement
from bench.speed.arrivals import arrivals
from bench.speed.batcher import Batcher, Request
from bench.speed.cells import Window
from bench.speed.questions import questions
from bench.speed.record import Record
from bench.speed.rounds import Pace, rounds
from bench.speed.scenarios import highest_rate
from bench.speed.windows import (
    Cutter,
    covered,
    may_end,
    rates,
    steady,
    steady_part,
)
from retrievers.base import Ranking
from retrievers.serving.contract import Answered

Completions = list[tuple[float, int]]

completions = st.lists(
    st.tuples(st.floats(0.01, 3), st.integers(1, 200)), min_size=1, max_size=60
).map(
    lambda gaps: [
        (at, count)
        for at, (_, count) in zip(itertools.accumulate(gap for gap, _ in gaps), gaps, strict=True)
    ]
)


def cut(done: Completions, width: float) -> list[Window]:
    cutter = Cutter(0.0, width)
    told = [cutter.add(at, count) for at, count in done]
    assert sum(told) == len(cutter.windows)
    return cutter.windows


@given(completions, st.floats(0.1, 5))
def test_windows_join_and_end_with_the_first_completions_that_make_them_long_enough(
    done: Completions, width: float
) -> None:
    windows = cut(done, width)
    at, count = np.array([a for a, _ in done]), np.array([c for _, c in done])
    assert all(first.end == second.begin for first, second in pairwise(windows))
    for window in windows:
        inside = (at > window.begin) & (at <= window.end)
        assert window.completed == count[inside].sum()
        assert window.end - window.begin >= width
        assert not (inside & (at - window.begin >= width) & (at < window.end)).any()
    left = at > (windows[-1].end if windows else 0.0)
    assert sum(window.completed for window in windows) + count[left].sum() == count.sum()


def test_slow_batches_are_never_parted() -> None:
    windows = cut([(4.0, 100), (8.2, 100), (12.1, 100)], width=1.0)
    assert [window.completed for window in windows] == [100, 100, 100]
    assert rates(windows) == pytest.approx([25, 100 / 4.2, 100 / 3.9])


@given(st.lists(st.floats(0.5, 2), max_size=8))
def test_steady_is_three_within_a_tenth_of_their_mean(figures: list[float]) -> None:
    last = figures[-3:]
    mean = sum(last) / 3
    expected = len(last) == 3 and all(abs(each - mean) <= 0.1 * mean for each in last)
    margin = min((abs(abs(each - mean) - 0.1 * mean) for each in last), default=1.0)
    if margin > 1e-9:
        assert steady(figures) == expected


def windows_at(figures: list[float]) -> list[Window]:
    return [Window(float(n), float(n + 1), round(100 * f)) for n, f in enumerate(figures)]


def test_the_steady_part_leaves_out_what_came_before() -> None:
    rising = windows_at([3.0, 7.0, 9.8, 10.1, 10.0, 10.2])
    assert steady_part(rising) == tuple(rising[2:])
    wild = windows_at([3.0, 7.0, 3.0, 7.0])
    assert steady_part(wild) == tuple(wild)
    assert steady_part(windows_at([1.0])) == tuple(windows_at([1.0]))


@given(st.lists(st.floats(0.5, 2), min_size=3, max_size=12))
def test_the_steady_part_is_the_longest_end_that_agrees(figures: list[float]) -> None:
    windows = windows_at(figures)
    part = steady_part(windows)
    assert part == tuple(windows[len(windows) - len(part) :])
    if len(part) < len(windows):
        found = np.array(rates(part))
        assert len(part) >= 3
        assert (np.abs(found - found.mean()) <= 0.1 * found.mean() + 1e-9).all()


@pytest.mark.parametrize(
    ("figures", "elapsed", "ends"),
    [
        ([1, 1, 1], 5.9, False),
        ([1, 1, 1], 6.0, True),
        ([1, 2, 1], 6.0, False),
        ([1, 2, 1], 24.0, True),
        ([1, 2], 23.9, False),
        ([1, 2], 24.0, True),
        ([1], 500.0, False),
    ],
)
def test_a_run_ends_steady_or_at_four_times_its_seconds(
    figures: list[float], elapsed: float, ends: bool
) -> None:
    assert may_end(figures, elapsed, seconds=6.0) == ends


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=12),
    st.integers(0, 20),
    st.integers(0, 30),
)
def test_covered_seconds_are_counted_once(
    spans: list[tuple[int, int]], begin: int, length: int
) -> None:
    taken = {second for first, n in spans for second in range(first, first + n)}
    expected = len(taken & set(range(begin, begin + length)))
    told = [(float(first), float(first + n)) for first, n in spans]
    assert covered(told, float(begin), float(begin + length)) == expected


def test_arrivals_are_a_poisson_process_drawn_from_its_seed() -> None:
    at = list(itertools.islice(arrivals(40.0, seed=3), 5000))
    gaps = np.diff([0.0, *at])
    assert (gaps > 0).all()
    assert stats.kstest(gaps, "expon", args=(0, 1 / 40)).pvalue > 0.01
    a_second = np.bincount(np.array(at, int))[:-1]
    assert a_second.var() / a_second.mean() == pytest.approx(1, abs=0.4)
    assert at[:9] == list(itertools.islice(arrivals(40.0, seed=3), 9))
    assert at[:9] != list(itertools.islice(arrivals(40.0, seed=4), 9))
    with pytest.raises(ValueError, match="positive"):
        next(arrivals(0.0, seed=3))


@dataclass
class Road:
    """Requests that come by a plan, on a clock that only waiting moves."""

    plan: deque[float]
    now: float = 0.0
    number: int = 0
    batches: list[tuple[float, list[Request]]] = field(default_factory=list)

    def receive(self, timeout: float | None) -> list[Request]:
        first = self.plan[0] if self.plan else math.inf
        if timeout is None:
            self.now = max(self.now, first)
        else:
            self.now = max(self.now, min(first, self.now + timeout))
        came = []
        while self.plan and self.plan[0] <= self.now:
            self.plan.popleft()
            came.append(Request(self.number, "", self.now))
            self.number += 1
        return came


@given(
    st.lists(st.floats(0, 20), max_size=60),
    st.integers(1, 12),
    st.floats(0, 3),
    st.floats(0, 4),
)
def test_batches_hold_all_in_order_none_too_large_and_none_waits_too_long(
    due: list[float], largest: int, wait: float, service: float
) -> None:
    road = Road(deque(sorted(due)))
    batcher = Batcher(road.receive, largest, wait, lambda: road.now)
    answered: list[int] = []
    while road.number < len(due) or len(answered) < len(due):
        free = road.now
        batch = batcher.next()
        assert 0 < len(batch) <= largest
        if len(batch) < largest:
            assert road.now == pytest.approx(max(free, batch[0].at + wait))
            assert not road.plan or road.plan[0] >= road.now
        answered += [request.number for request in batch]
        road.now += service
    assert answered == list(range(len(due)))


def test_a_batch_that_is_full_does_not_wait() -> None:
    road = Road(deque([1.0] * 5))
    batcher = Batcher(road.receive, 4, wait=9.0, clock=lambda: road.now)
    assert len(batcher.next()) == 4
    assert road.now == 1.0
    assert len(batcher.next()) == 1
    assert road.now == 10.0


def test_what_comes_without_requests_ends_the_wait_for_them() -> None:
    batcher = Batcher(lambda timeout: [], 4, wait=9.0, clock=lambda: 0.0)
    assert batcher.next() == []


def test_texts_are_not_asked_again_before_all_were() -> None:
    asked = list(itertools.islice(questions(200, seed=5), 600))
    rounds_of = [asked[first : first + 200] for first in (0, 200, 400)]
    assert [len(set(each)) for each in rounds_of] == [200, 200, 200]
    assert set(rounds_of[0]) == set(rounds_of[1])
    assert rounds_of[0] != rounds_of[1]
    assert asked[:50] == list(itertools.islice(questions(200, seed=5), 50))


def ranking(ids: list[list[int]], scores: list[list[float]]) -> Ranking:
    return Ranking(np.array(ids, np.int64), np.array(scores, np.float32))


def test_agreement_by_hand() -> None:
    reference = ranking([[4, 7, 9, 2]] * 6, [[0.9, 0.8, 0.5, 0.5]] * 6)
    given = ranking(
        [[4, 7, 9, 2], [7, 4, 2, 9], [4, 7, 9, 5], [4, 7, 6, 5], [1, 7, 9, 2], [1, 3, 6, 5]],
        [[0.9, 0.8, 0.5, 0.5]] * 6,
    )
    # A tie with the last place is forgiven, one that is better than the last is not.
    assert agreement(given, reference).tolist() == [1, 1, 1, 1, 0.75, 0.5]
    lower = ranking([[4, 7, 9, 5]] * 6, [[0.9, 0.8, 0.5, 0.4]] * 6)
    assert agreement(lower, reference).tolist() == [0.75] * 6


def test_agreement_counts_places_that_the_reference_fills() -> None:
    empty = -math.inf
    reference = ranking([[3, 5, -1], [-1, -1, -1]], [[2, 1, empty], [empty] * 3])
    given = ranking([[3, -1, -1], [-1, -1, -1]], [[2, empty, empty], [empty] * 3])
    assert agreement(given, reference).tolist() == [0.5, 1]


def answered(texts: list[str], part: float = 1.0) -> Answered:
    told = ranking([[int(text), 99] for text in texts], [[1, 0]] * len(texts))
    return Answered(told, {"encode": 0.25, "search": 0.5}, part)


def test_seconds_are_summed_over_the_part_that_counts() -> None:
    record = Record(sample=4, seed=0)
    three, one = ["1", "2", "3"], ["4"]
    record.add(0, 1, 1.25, three, answered(three))
    record.add(1.25, 2, 2.25, three, answered(three, part=0.5))
    record.add(1.5, 3, 3.75, one, answered(one))
    record.add(8, 9, 9, three, answered(three))
    sums = record.between(1, 8)
    assert sums.batches == {"1": 1, "3": 1}
    # In hand from 1.25 to 3.75, of which 1.5 s were the row's.
    assert sums.seconds == {"encode": 0.5, "search": 1.0, "front end": 1.0}
    assert sums.part == (3 * 0.5 + 1) / 4
    assert record.between(20, 30).batches == {}


def test_every_answer_has_the_same_chance_to_be_kept() -> None:
    kept = np.zeros(40)
    for seed in range(400):
        record = Record(sample=8, seed=seed)
        for first in range(0, 40, 10):
            texts = [str(first + n) for n in range(10)]
            record.add(first, first + 1, first + 1, texts, answered(texts))
        texts, sample = record.sample()
        assert len(set(texts)) == 8
        assert [str(row[0]) for row in sample.ids.tolist()] == texts
        kept[[int(text) for text in texts]] += 1
    assert stats.chisquare(kept).pvalue > 0.01


def test_rounds_of_known_length() -> None:
    now = 0.0

    def ask() -> list[float]:
        nonlocal now
        seconds = 3.0 if now < 4 else 2.0
        now += seconds
        return [seconds] * 100

    timed = rounds(ask, Pace(seconds=6.0, warm_up=1.0), lambda: now, lambda elapsed: None)
    # Warm-up to 3; rounds of 3, 2, 2 and 2 seconds, of which the last three agree.
    assert timed.windows == (Window(6, 8, 100), Window(8, 10, 100), Window(10, 12, 100))
    assert (timed.begin, timed.end, timed.steady) == (6, 12, True)
    assert (timed.completed, timed.warm_up) == (300, 200)
    assert timed.latencies == (2.0,) * 300


@given(st.floats(1, 1000), st.floats(0, 1.2))
def test_the_highest_rate_is_found_to_a_32nd_of_the_capacity(capacity: float, at: float) -> None:
    found = highest_rate(lambda rate: 10 + 90 * (rate > at * capacity), 50, capacity)
    assert min(at, 1) * capacity - found <= capacity / 32 * (1 + 1e-9)
    assert found <= at * capacity
