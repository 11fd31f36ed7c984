"""What became of each row: the paired differences of both sides, tested together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from bench.asked import Asked, NothingAsked, asked
from bench.cells import Measure
from bench.comparing.pairing import Paired, paired
from bench.comparing.sides import Side
from bench.metrics import METRIC_NAMES
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


@dataclass(frozen=True)
class _Both:
    """The same queries on both sides, and what was said so far of the row."""

    told: Compared
    before: Asked
    after: Asked


def compare(
    before: Side, after: Side, metrics: Sequence[str], tolerance: float
) -> tuple[Compared, ...]:
    """Every row of both sides, in each direction that it was measured in; those of one dataset,
    protocol and direction together.

    metrics    of ``bench.metrics.METRIC_NAMES``, those that are tested
    tolerance  fraction of 1: a significant drop that is smaller is no regression
    """
    found = [
        one
        for pair in paired(before.rows(), after.rows())
        for direction in _directions(pair)
        for one in [_met(pair, direction, before, after)]
    ]
    found.sort(key=_table)
    both = [one for one in found if isinstance(one, _Both)]
    tested = iter(_tested(both, metrics, tolerance))
    return tuple(next(tested) if isinstance(one, _Both) else one for one in found)


def _table(one: Compared | _Both) -> tuple[str, str, bool]:
    told = one.told if isinstance(one, _Both) else one
    return (told.row.dataset, told.row.protocol, told.direction == "media to text")


def _directions(pair: Paired) -> Iterator[Direction]:
    yield "text to media"
    both_done = pair.before and pair.after and pair.before.status == pair.after.status == "done"
    if both_done and any(row.reverse for row in (pair.before, pair.after) if row):
        yield "media to text"


def _met(pair: Paired, direction: Direction, before: Side, after: Side) -> Compared | _Both:
    """The row's queries on both sides, or why it has none to be compared by."""
    told = Compared(pair.shown, direction, "not comparable")
    old, new = pair.before, pair.after
    if old is None:
        return replace(told, verdict="new", reason="A has no such row.")
    if new is None:
        return _gone(told, after)
    if old.protocol != new.protocol:
        return replace(told, reason=f"A was measured under {old.protocol}, B under {new.protocol}.")
    if "done" not in (old.status, new.status):
        return replace(told, verdict="failed in both", reason=new.reason)
    if new.status != "done":
        return replace(told, verdict="failed in B", reason=new.reason)
    if old.status != "done":
        return replace(told, verdict="new", reason=f"It failed in A: {old.reason}")
    if direction == "media to text" and not (old.reverse and new.reverse):
        verdict: Verdict = "lost" if old.reverse else "new"
        side = "B" if old.reverse else "A"
        return replace(told, verdict=verdict, reason=f"{side} ranks no texts for an item.")
    return _asked_alike(told, old, new, before, after)


def _gone(told: Compared, after: Side) -> Compared:
    if after.whole:
        return replace(told, verdict="lost", reason="B has no such row.")
    return replace(
        told,
        verdict="not measured again",
        reason="B has no result of its own: what its code does not change is reused.",
    )


def _asked_alike(told: Compared, old: Row, new: Row, before: Side, after: Side) -> Compared | _Both:
    shared = set(old.seeds) & set(new.seeds)
    reverse = told.direction == "media to text"
    try:
        first, second = (
            asked(_of_seeds(row, shared), side.store, reverse=reverse)
            for row, side in ((old, before), (new, after))
        )
    except NothingAsked as problem:
        return replace(told, reason=str(problem))
    if first.digest != second.digest:
        return replace(told, reason="The data differ: another digest.")
    if first.of != second.of:
        return replace(told, reason="The queries differ.")
    if len(set(first.items)) < 2:
        return replace(told, reason="The queries of a single item tell nothing apart.")
    counted = replace(told, queries=len(first.queries), items=len(set(first.items)))
    return _Both(replace(counted, remarks=tuple(_remarks(old, new, shared))), first, second)


def _of_seeds(row: Row, shared: set[int]) -> Row:
    """The row with the seeds that both sides have, or with all where they share none."""
    cells = tuple(cell for cell in row.cells if cell.spec.seed in shared or not shared)
    return replace(row, cells=cells)


def _remarks(old: Row, new: Row, shared: set[int]) -> Iterator[str]:
    if set(old.seeds) != set(new.seeds):
        what = f"{_listed(shared)} alone is compared" if shared else "all are compared, none shared"
        yield f"Seeds: A has {_listed(old.seeds)}, B {_listed(new.seeds)}; {what}."
    before, after = old.retriever.options, new.retriever.options
    differ = sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
    if differ:
        told = ", ".join(f"{name} {before.get(name)} → {after.get(name)}" for name in differ)
        yield f"Options differ: {told}."
    if old.retriever.revision != new.retriever.revision:
        yield "The weights differ."


def _listed(seeds: Sequence[int] | set[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))


def _tested(both: Sequence[_Both], metrics: Sequence[str], tolerance: float) -> list[Compared]:
    """The differences of all rows, their p-values adjusted together."""
    flips = flips_for(len(both) * len(metrics))
    raw = [_changes(one, metrics, flips) for one in both]
    adjusted = iter(holm([change.p for changes in raw for change in changes]))
    found = []
    for one, changes in zip(both, raw, strict=True):
        judged = tuple(
            _judged(replace(change, adjusted=next(adjusted)), tolerance) for change in changes
        )
        verdict = min((change.verdict for change in judged), key=MEASURED.index)
        apart = paired_differences(one.after.per_query, one.before.per_query, one.before.items)
        found.append(replace(one.told, verdict=verdict, apart=apart, changes=judged))
    return found


def _changes(one: _Both, metrics: Sequence[str], flips: int) -> list[Change]:
    """Each metric with its own p-value, not yet judged."""
    first, second = one.before.per_query, one.after.per_query
    differences = np.stack([second[name] - first[name] for name in metrics], axis=1)
    p = sign_flip_p(sums_by_item(differences, one.before.items), flips=flips)
    errors = standard_errors(differences, one.before.items)
    apart = paired_differences(second, first, one.before.items)
    return [
        Change(
            metric=name,
            before=float(first[name].mean()),
            after=float(second[name].mean()),
            apart=apart[name],
            p=float(p[place]),
            adjusted=1.0,
            detectable=smallest_detectable(float(errors[place])),
            verdict="not told apart" if differences[:, place].any() else "identical",
        )
        for place, name in enumerate(metrics)
    ]


def _judged(change: Change, tolerance: float) -> Change:
    if change.adjusted > ALPHA:
        return change
    if change.apart.value > 0:
        return replace(change, verdict="improvement")
    small = -change.apart.value < tolerance
    return replace(change, verdict="drop within tolerance" if small else "regression")


def asked_metrics(named: str) -> tuple[str, ...]:
    """The metrics that ``--metric`` names. Raises ValueError with a sentence."""
    if named == "all":
        return METRIC_NAMES
    if named not in METRIC_NAMES:
        raise ValueError(f"--metric {named}: give {', '.join(METRIC_NAMES)} or all.")
    return (named,)
