"""The figures of a table by metric, and which of a column is clearly best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.cells import Measure

METRICS = ("R@1", "R@5", "R@10", "MRR@10")


@dataclass(frozen=True)
class Figure:
    """One figure of the accuracy table.

    measure  fractions of 1, mean over seeds
    sd       standard deviation over seeds, None for a single seed
    best     its interval lies above the interval of every other line
    """

    measure: Measure
    sd: float | None
    best: bool = False


def figures_of(
    measures: Mapping[str, Measure], spread: Mapping[str, float | None]
) -> tuple[Figure | None, ...]:
    """By position of METRICS, None where there is no result."""
    return tuple(
        Figure(measures[name], spread.get(name)) if name in measures else None for name in METRICS
    )


def with_best(rows: Sequence[tuple[Figure | None, ...]]) -> list[tuple[Figure | None, ...]]:
    """The rows with the clear best of each metric marked."""
    best = [_clear_best(column) for column in zip(*rows, strict=True)]
    return [
        tuple(
            replace(figure, best=True) if figure and best[place] == number else figure
            for place, figure in enumerate(row)
        )
        for number, row in enumerate(rows)
    ]


def _clear_best(figures: Sequence[Figure | None]) -> int | None:
    """The place whose interval lies wholly above all others; None with fewer than two figures."""
    there = [(place, figure.measure) for place, figure in enumerate(figures) if figure]
    if len(there) < 2:
        return None
    place, top = max(there, key=lambda pair: pair[1].low)
    clear = all(top.low > measure.high for other, measure in there if other != place)
    return place if clear else None
