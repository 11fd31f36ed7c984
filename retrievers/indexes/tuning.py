"""The least effort with which an approximate index finds what exact search finds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from retrievers.base import FloatArray, IntArray, Ranking

TARGET = 0.95
DEPTH = 10
# Beyond the chosen effort, so that a plot shows what more of it would buy.
_FURTHER = 2
_BATCH = 100
# An effort that is chosen lies at most this share above the least that would do.
_COARSENESS = 0.1
# Of a normal distribution: 5 in 100 lie below.
_CERTAINTY = 1.645


class Adjustable(Protocol):
    """What is tuned: a search that costs more and finds more with more effort."""

    effort: int

    @property
    def effort_name(self) -> str: ...

    @property
    def greatest_effort(self) -> int: ...

    def search(self, queries: FloatArray, k: int) -> Ranking: ...


@dataclass(frozen=True)
class Point:
    """What an effort gives.

    recall              of the exact first ten, on the held-out half of the queries
    queries_per_second  in batches of 100, of all queries, one pass
    """

    effort: int
    recall: float
    queries_per_second: float


@dataclass(frozen=True)
class Tuned:
    """What was chosen and what was tried.

    effort   the least whose recall on the first half of the queries reaches the target with
             95 % certainty, to within a tenth; the greatest there is where none does
    recall   with it, on the half that had no part in the choice
    reached  whether it was reached on the first half
    curve    by rising effort
    """

    effort_name: str
    effort: int
    recall: float
    target: float
    reached: bool
    curve: tuple[Point, ...]

    @property
    def facts(self) -> Mapping[str, str | int | float | bool]:
        """As a table tells it."""
        return {
            self.effort_name: self.effort,
            f"recall@{DEPTH}": round(self.recall, 4),
            "recall target": self.target,
            "target reached": self.reached,
        }


def tune(
    index: Adjustable,
    queries: FloatArray,
    exact: IntArray,
    target: float = TARGET,
    clock: Callable[[], float] = time.perf_counter,
) -> Tuned:
    """Choose the effort, and leave the index with it.

    queries  [queries, dim], at least 20
    exact    [queries, at least 10] rows that exact search finds; -1 where there are none

    Raises ValueError for fewer queries and for a target that is no share.
    """
    if len(queries) < 20:
        raise ValueError(f"an index is tuned on at least 20 queries, not {len(queries)}")
    if not 0 < target <= 1:
        raise ValueError(f"the recall to be reached is a share above 0, not {target}")
    tried: dict[int, tuple[bool, Point]] = {}

    def reaches(effort: int) -> bool:
        if effort not in tried:
            tried[effort] = _measured(index, effort, queries, exact, target, clock)
        return tried[effort][0]

    effort = _least(reaches, index.greatest_effort)
    reached = reaches(effort)
    for step in range(1, _FURTHER + 1):
        reaches(min(math.ceil(effort * 1.5**step), index.greatest_effort))
    index.effort = effort
    return Tuned(
        effort_name=index.effort_name,
        effort=effort,
        recall=tried[effort][1].recall,
        target=target,
        reached=reached,
        curve=tuple(tried[each][1] for each in sorted(tried)),
    )


def recall(found: IntArray, exact: IntArray) -> npt.NDArray[np.float64]:
    """The share [queries] of the first ten exact rows that are among the first ten found."""
    wanted = exact[:, :DEPTH]
    among = (wanted[:, :, None] == found[:, None, :DEPTH]).any(axis=2) & (wanted >= 0)
    # A query of an empty gallery lacks nothing.
    there = (wanted >= 0).sum(axis=1)
    return np.where(there > 0, among.sum(axis=1) / np.maximum(there, 1), 1.0)


def _least(reaches: Callable[[int], bool], greatest: int) -> int:
    """The least effort that reaches, to within a tenth; the greatest where none does."""
    low, high = 0, 1
    while high < greatest and not reaches(high):
        low, high = high, min(2 * high, greatest)
    while high - low > max(1, _COARSENESS * low):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _measured(
    index: Adjustable,
    effort: int,
    queries: FloatArray,
    exact: IntArray,
    target: float,
    clock: Callable[[], float],
) -> tuple[bool, Point]:
    """Whether the first half of the queries reaches the target, and the point."""
    index.effort = effort
    started = clock()
    parts = [
        index.search(queries[start : start + _BATCH], DEPTH).ids
        for start in range(0, len(queries), _BATCH)
    ]
    seconds = max(clock() - started, 1e-9)
    shares = recall(np.concatenate(parts), exact)
    tuning, held_out = shares[: len(shares) // 2], shares[len(shares) // 2 :]
    doubt = _CERTAINTY * float(tuning.std(ddof=1)) / math.sqrt(len(tuning))
    point = Point(effort, float(held_out.mean()), len(queries) / seconds)
    return float(tuning.mean()) - doubt >= target, point
