"""What the cells of a table measured, beside what was published, and whether both go one way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from bench.ablations.runs import Run, RunRow
from bench.ablations.tables import Ablation, ablation_of
from bench.ablations.verdicts import Verdict, tally, verdict
from bench.cells import Cell, Measure
from bench.directions import ranks_of
from bench.metrics import METRIC_NAMES, per_query
from bench.published import ablated
from bench.statistics import measures, paired_differences
from bench.store import ResultStore

FloatArray = npt.NDArray[np.float64]

MAIN = METRIC_NAMES[0]


@dataclass(frozen=True)
class Compared:
    """One row; every mapping is by metric.

    published  per cent, as printed
    measured   fractions of 1, means over seeds; empty where a seed is missing
    further    published difference to the whole, in points; empty of the whole itself
    apart      measured difference to the whole, paired by query, fractions of 1
    """

    label: str
    setting: str
    changes: Mapping[str, str]
    published: Mapping[str, float]
    measured: Mapping[str, Measure] = field(default_factory=dict)
    further: Mapping[str, float] = field(default_factory=dict)
    apart: Mapping[str, Measure] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    retriever: str = ""
    seeds: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Best:
    """The best setting of a series by one metric.

    apart  how far the measured best lies above the published best, None where it is the same row
    """

    published: str
    measured: str
    apart: Measure | None


@dataclass(frozen=True)
class Evidence:
    """One table with all that it says; ``cells`` are those that its figures are made of."""

    run: Run
    ablation: Ablation
    rows: tuple[Compared, ...]
    best: Mapping[str, Best]
    cells: tuple[Cell, ...]

    @property
    def whole(self) -> Compared:
        """The row that the others are held against."""
        return next(row for row in self.rows if row.setting == self.ablation.whole)

    def tally(self, metric: str) -> str:
        """How many rows agree with what was published by one metric."""
        return tally(row.verdicts[metric] for row in self.rows if metric in row.verdicts)


@dataclass(frozen=True)
class _Asked:
    """The figures of each query, means over seeds, [queries] each; and the queries' items."""

    per_query: Mapping[str, FloatArray]
    queries: tuple[str, ...]
    items: tuple[str, ...]
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]


def evidence(run: Run, store: ResultStore) -> Evidence:
    """Read the cells of a table and hold every row against the whole.

    Raises KeyError for a table that the paper has not, or without the row of the whole.
    """
    ablation = ablation_of(run.table)
    asked = {row.setting: _asked(row, store) for row in run.rows}
    whole = asked[ablation.whole]
    rows = tuple(
        _compared(row, asked[row.setting], whole, _further(run, row.setting, ablation.whole), run)
        for row in run.rows
    )
    best = _best(rows, asked) if ablation.series else {}
    measured = (each for each in asked.values() if not isinstance(each, str))
    cells = tuple(cell for each in measured for cell in each.cells)
    return Evidence(run, ablation, rows, best, cells)


def _asked(row: RunRow, store: ResultStore) -> _Asked | str:
    """The figures of every query, or a sentence that says why there are none."""
    if not row.keys:
        return row.reason or "It was not run."
    cells = {int(seed): store.get(key) for seed, key in row.keys.items()}
    done = [cell for cell in cells.values() if cell is not None and cell.status == "done"]
    if len(done) < len(cells):
        return "; ".join(_missing(seed, cell) for seed, cell in cells.items() if cell not in done)
    frames = [store.ranks(cell.spec.key).sort_values("query", kind="stable") for cell in done]
    each = [per_query(ranks_of(frame)) for frame in frames]
    return _Asked(
        {name: np.mean([one[name] for one in each], axis=0) for name in METRIC_NAMES},
        tuple(frames[0]["query"]),
        tuple(frames[0]["item"]),
        tuple(sorted(cells)),
        tuple(done),
    )


def _missing(seed: int, cell: Cell | None) -> str:
    return f"seed {seed}: {cell.reason if cell else 'not measured yet'}"


def _compared(
    row: RunRow, own: _Asked | str, whole: _Asked | str, further: Mapping[str, float], of: Run
) -> Compared:
    """``further`` is empty of the whole itself, which is held against nothing."""
    printed = ablated(of.table).get((of.published, row.setting), {})
    told = Compared(row.label, row.setting, row.changes, printed, further=further)
    told = replace(told, retriever=row.retriever)
    if isinstance(own, str):
        return replace(told, reason=own)
    told = replace(told, measured=measures(own.per_query, own.items), seeds=own.seeds)
    apart = _apart(own, whole) if further else {}
    verdicts = {name: verdict(further[name], apart[name]) for name in apart if name in further}
    return replace(told, apart=apart, verdicts=verdicts)


def _further(run: Run, setting: str, whole: str) -> dict[str, float]:
    """Published difference to the whole in points, to the two digits that are printed."""
    printed = ablated(run.table)
    own, full = printed.get((run.published, setting), {}), printed[run.published, whole]
    return {} if setting == whole else {name: round(own[name] - full[name], 2) for name in own}


def _apart(own: _Asked | str, other: _Asked | str) -> Mapping[str, Measure]:
    """Empty where the two cannot be paired: one is missing, or they were not asked the same."""
    if isinstance(own, str) or isinstance(other, str) or own.queries != other.queries:
        return {}
    return paired_differences(own.per_query, other.per_query, own.items)


def _best(rows: Iterable[Compared], asked: Mapping[str, _Asked | str]) -> dict[str, Best]:
    """Of the rows that were measured, the best as published and as measured."""
    shown: Sequence[Compared] = [row for row in rows if row.measured and row.published]
    if len(shown) < 2:
        return {}
    found = {}
    for name in METRIC_NAMES:
        published = [row.published[name] for row in shown]
        measured = [row.measured[name].value for row in shown]
        theirs, ours = shown[published.index(max(published))], shown[measured.index(max(measured))]
        other = {} if ours is theirs else _apart(asked[ours.setting], asked[theirs.setting])
        found[name] = Best(theirs.label, ours.label, other.get(name))
    return found
