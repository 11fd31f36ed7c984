"""Who is best, and how surely: the rows of one dataset held against each other in pairs.

Of every pair it is tested whether it differs, and Holm's adjustment over all pairs makes the
verdicts hold together. Counting the rows that are significantly better, and those that are
significantly worse, gives each row an interval of ranks; with 95 % confidence all intervals
hold the true ranks at once (Mogstad, Romano, Shaikh and Wilhelm, "Inference for Ranks with
Applications to Mobility across Neighbourhoods and Academic Achievement across Countries",
Review of Economic Studies 91, 2024, section 3; Al Mohamad, Goeman and van Zwet, "Simultaneous
Confidence Intervals for Ranks with Application to Ranking Institutions", Biometrics 78, 2022).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.asked import Asked, NothingAsked, asked
from bench.cells import Measure
from bench.significance import (
    ALPHA,
    flips_for,
    holm,
    sign_flip_p,
    smallest_detectable,
    standard_errors,
    sums_by_item,
)
from bench.statistics import paired_differences
from bench.store import ResultStore
from bench.summary import Row

LEAST_ITEMS = 2


@dataclass(frozen=True)
class Pair:
    """One comparison of two rows.

    first       position in the rows that were given; ``second`` alike, and larger
    apart       mean of the first less that of the second, paired by query, with the 95 %
                interval by bootstrap over items; fractions of 1
    p           by sign flips of items, two-sided
    adjusted    by Holm over all pairs of this table and metric
    detectable  the true difference that this pair's comparison alone finds with 80 % power
    """

    first: int
    second: int
    apart: Measure
    p: float
    adjusted: float
    detectable: float

    @property
    def better(self) -> int | None:
        """The position of the significantly better row; None where they are not told apart."""
        if self.adjusted > ALPHA:
            return None
        return self.first if self.apart.value > 0 else self.second


@dataclass(frozen=True)
class Standing:
    """Where one row may stand.

    best   the least rank: 1 and how many rows are significantly better
    worst  the largest: how many rows there are, less those that are significantly worse
    tied   whether it has the highest mean or is not told apart from the row that has
    """

    best: int
    worst: int
    tied: bool


@dataclass(frozen=True)
class Standings:
    """Every row of a table by one metric.

    of        by position of the rows given; None where a row is left out
    pairs     of the rows that are not
    left_out  position, and the sentence that says why it is not compared
    """

    metric: str
    of: tuple[Standing | None, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[tuple[int, str], ...]

    @property
    def detectable(self) -> float | None:
        """What any two rows here must differ by to be told apart reliably, fraction of 1.

        The largest of the pairs; None where there is no pair, or none whose answers differ.
        """
        return max((pair.detectable for pair in self.pairs if pair.detectable > 0), default=None)


def standings(
    rows: Sequence[Row], store: ResultStore, metric: str = "R@1", *, reverse: bool = False
) -> Standings:
    """Hold rows of one dataset and protocol against each other by one metric.

    metric   one of ``bench.metrics.METRIC_NAMES``
    reverse  by the items that ask for texts
    """
    return standings_by((metric,), rows, store, reverse=reverse)[metric]


def standings_by(
    metrics: Sequence[str], rows: Sequence[Row], store: ResultStore, *, reverse: bool = False
) -> dict[str, Standings]:
    """As ``standings`` by each of several metrics; the stored ranks are read once."""
    found, left_out = _comparable(rows, store, reverse)
    return {
        metric: _standings(metric, len(rows), found, tuple(sorted(left_out.items())))
        for metric in metrics
    }


def _comparable(
    rows: Sequence[Row], store: ResultStore, reverse: bool
) -> tuple[dict[int, Asked], dict[int, str]]:
    """By position: what most rows were asked alike, and why each other row is left out."""
    found: dict[int, Asked] = {}
    left_out: dict[int, str] = {}
    for position, row in enumerate(rows):
        try:
            found[position] = asked(row, store, reverse=reverse)
        except NothingAsked as problem:
            left_out[position] = str(problem)
    if not found:
        return {}, left_out
    ((common, _),) = Counter(each.of for each in found.values()).most_common(1)
    for position, each in found.items():
        if each.digest != common[0]:
            left_out[position] = "It was measured on other data than the other rows."
        elif each.of != common:
            left_out[position] = "It was not asked the same queries as the other rows."
        elif len(set(each.items)) < LEAST_ITEMS:
            left_out[position] = "The queries of a single item cannot tell rows apart."
    kept = {position: each for position, each in found.items() if position not in left_out}
    return kept, left_out


def _standings(
    metric: str, rows: int, found: Mapping[int, Asked], left_out: tuple[tuple[int, str], ...]
) -> Standings:
    pairs = _pairs({position: each.per_query[metric] for position, each in found.items()}, found)
    if not found:
        return Standings(metric, (None,) * rows, (), left_out)
    top = max(found, key=lambda position: float(found[position].per_query[metric].mean()))
    wins, losses = Counter[int](), Counter[int]()
    behind_top = set()
    for pair in pairs:
        if pair.better is None:
            continue
        worse = pair.second if pair.better == pair.first else pair.first
        wins[pair.better] += 1
        losses[worse] += 1
        if pair.better == top:
            behind_top.add(worse)
    places = [
        Standing(1 + losses[position], len(found) - wins[position], position not in behind_top)
        if position in found
        else None
        for position in range(rows)
    ]
    return Standings(metric, tuple(places), pairs, left_out)


def _pairs(values: Mapping[int, np.ndarray], found: Mapping[int, Asked]) -> tuple[Pair, ...]:
    """Every two of the rows. values: position -> [queries]."""
    chosen = list(combinations(sorted(values), 2))
    if not chosen:
        return ()
    items = found[chosen[0][0]].items
    named = {f"{first} {second}": (first, second) for first, second in chosen}
    apart = paired_differences(
        {name: values[first] for name, (first, _) in named.items()},
        {name: values[second] for name, (_, second) in named.items()},
        items,
    )
    differences = np.stack([values[first] - values[second] for first, second in chosen], axis=1)
    sums = sums_by_item(differences, items)
    p = sign_flip_p(sums, flips=flips_for(len(chosen)))
    errors = standard_errors(differences, items)
    adjusted = holm(p.tolist())
    return tuple(
        Pair(
            first,
            second,
            apart[name],
            float(p[place]),
            adjusted[place],
            smallest_detectable(float(errors[place])),
        )
        for place, (name, (first, second)) in enumerate(named.items())
    )
