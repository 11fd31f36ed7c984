"""What became of each row: the paired differences of both sides, tested together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.cells import Measure
from bench.comparing.matching import Both, directions, met
from bench.comparing.pairing import paired
from bench.comparing.sides import Side
from bench.comparing.verdicts import MEASURED, Change, Compared
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


def compare(
    before: Side, after: Side, metrics: Sequence[str], tolerance: float
) -> tuple[Compared, ...]:
    """Every row of both sides, in each direction that it was measured in; those of one dataset,
    protocol and direction together.

    metrics    of ``bench.metrics.METRIC_NAMES``, those that are tested
    tolerance  fraction of 1: a significant drop that is smaller is no regression
    """
    found = [
        met(pair, direction, before, after)
        for pair in paired(before.rows(), after.rows())
        for direction in directions(pair)
    ]
    found.sort(key=_table)
    both = [one for one in found if isinstance(one, Both)]
    tested = iter(_tested(both, metrics, tolerance))
    return tuple(next(tested) if isinstance(one, Both) else one for one in found)


def _table(one: Compared | Both) -> tuple[str, str, bool]:
    told = one.told if isinstance(one, Both) else one
    return (told.row.dataset, told.row.protocol, told.direction == "media to text")


def _tested(both: Sequence[Both], metrics: Sequence[str], tolerance: float) -> list[Compared]:
    """The differences of all rows, their p-values adjusted together."""
    flips = flips_for(len(both) * len(metrics))
    aparts = [
        paired_differences(one.after.per_query, one.before.per_query, one.before.items)
        for one in both
    ]
    raw = [_changes(one, apart, metrics, flips) for one, apart in zip(both, aparts, strict=True)]
    adjusted = iter(holm([change.p for changes in raw for change in changes]))
    found = []
    for one, apart, changes in zip(both, aparts, raw, strict=True):
        judged = tuple(
            _judged(replace(change, adjusted=next(adjusted)), tolerance) for change in changes
        )
        verdict = min((change.verdict for change in judged), key=MEASURED.index)
        found.append(replace(one.told, verdict=verdict, apart=apart, changes=judged))
    return found


def _changes(
    one: Both, apart: Mapping[str, Measure], metrics: Sequence[str], flips: int
) -> list[Change]:
    """Each metric with its own p-value, not yet judged."""
    first, second = one.before.per_query, one.after.per_query
    differences = np.stack([second[name] - first[name] for name in metrics], axis=1)
    p = sign_flip_p(sums_by_item(differences, one.before.items), flips=flips)
    errors = standard_errors(differences, one.before.items)
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
