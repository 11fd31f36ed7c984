"""The figures of a table by metric, and where each stands among those of its column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.cells import Measure
from bench.standings import Standing, Standings

METRICS = ("R@1", "R@5", "R@10", "MRR@10")


@dataclass(frozen=True)
class Figure:
    """One figure of the accuracy table.

    measure   fractions of 1, mean over seeds
    sd        standard deviation over seeds, None for a single seed
    standing  among the rows it is compared with, None where there are none
    """

    measure: Measure
    sd: float | None
    standing: Standing | None = None

    @property
    def best(self) -> bool:
        """Whether it is significantly above all others."""
        return self.standing is not None and self.standing.worst == 1

    @property
    def tied(self) -> bool:
        """Whether it is the highest or not told apart from that, and is not alone in it."""
        return self.standing is not None and self.standing.tied and not self.best


def figures_of(
    measures: Mapping[str, Measure], spread: Mapping[str, float | None]
) -> tuple[Figure | None, ...]:
    """By position of METRICS, None where there is no result."""
    return tuple(
        Figure(measures[name], spread.get(name)) if name in measures else None for name in METRICS
    )


def with_standings(
    rows: Sequence[tuple[Figure | None, ...]], standings: Mapping[str, Standings]
) -> list[tuple[Figure | None, ...]]:
    """The rows with the standing of each figure; standings  of these rows, by metric."""
    columns = [standings[name].of for name in METRICS]
    return [
        tuple(
            replace(figure, standing=column[number]) if figure else None
            for figure, column in zip(row, columns, strict=True)
        )
        for number, row in enumerate(rows)
    ]
