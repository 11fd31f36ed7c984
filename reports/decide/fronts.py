"""Which retrievers are worth choosing: those that none beats in accuracy and in speed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.cells import Measure

Standing = Literal["front", "near", "behind"]


@dataclass(frozen=True)
class Both:
    """What one retriever reaches in both respects; more is better in each."""

    recall: Measure
    rate: Measure


def fronts(rows: Sequence[Both]) -> tuple[Standing, ...]:
    """Where each row stands.

    "front"   no other is at least as good in both and better in one (the Pareto front)
    "near"    one is by the figures, but the intervals do not bear it out
    "behind"  one is better in both, its intervals wholly above
    """
    return tuple(_standing(row, rows) for row in rows)


def _standing(row: Both, rows: Sequence[Both]) -> Standing:
    if any(_surely_beats(other, row) for other in rows):
        return "behind"
    return "near" if any(_beats(other, row) for other in rows) else "front"


def _beats(one: Both, other: Both) -> bool:
    recall, rate = one.recall.value - other.recall.value, one.rate.value - other.rate.value
    return min(recall, rate) >= 0 and max(recall, rate) > 0


def _surely_beats(one: Both, other: Both) -> bool:
    return one.recall.low > other.recall.high and one.rate.low > other.rate.high
