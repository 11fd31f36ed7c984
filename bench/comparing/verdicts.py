"""What is said of a row on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.cells import Measure
from bench.summary import Row

Direction = Literal["text to media", "media to text"]
Verdict = Literal[
    "regression",
    "drop within tolerance",
    "improvement",
    "not told apart",
    "identical",
    "lost",
    "failed in B",
    "failed in both",
    "new",
    "not measured again",
    "not comparable",
]
# What two measured figures may be, the gravest first.
MEASURED: tuple[Verdict, ...] = (
    "regression",
    "drop within tolerance",
    "improvement",
    "not told apart",
    "identical",
)
WORSE: tuple[Verdict, ...] = ("regression", "lost", "failed in B")


@dataclass(frozen=True)
class Change:
    """One metric of one row on both sides, fractions of 1.

    apart       B less A, paired by query, with the 95 % interval by bootstrap over items
    p           of no difference, by sign flips of items
    adjusted    by Holm over every comparison of the run
    detectable  the true difference that this comparison alone finds with 80 % power
    """

    metric: str
    before: float
    after: float
    apart: Measure
    p: float
    adjusted: float
    detectable: float
    verdict: Verdict


@dataclass(frozen=True)
class Compared:
    """One row in one direction.

    row      the newer of the two
    verdict  the gravest of its changes, or why there are none
    reason   a sentence where there are no changes
    remarks  sentences on what else differs between the sides
    apart    every metric -> B less A, those not asked for too, which are not tested
    changes  one a metric that was asked for
    """

    row: Row
    direction: Direction
    verdict: Verdict
    reason: str = ""
    remarks: tuple[str, ...] = ()
    queries: int = 0
    items: int = 0
    apart: Mapping[str, Measure] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
