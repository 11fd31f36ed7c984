"""A generative retriever beside what its figures must be held against.

Ceilings and floors come from its own cells, where they were computed after the ranking was taken;
controls are retrievers of their own, measured on the same queries, and are compared query by query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from bench.cells import Cell, Measure
from bench.directions import ranks_of
from bench.metrics import per_query
from bench.statistics import paired_differences
from bench.store import ResultStore
from bench.summary import Row

PREFIX = "control/"
METRICS = ("R@1", "R@10")

# Of the figures that a generative retriever tells of its own parts: name -> label and meaning.
OWN: Mapping[str, tuple[str, str]] = {
    "chance": ("chance", "A random ranking."),
    "teacher": (
        "its teacher, exact search",
        "The dual tower from whose item vectors the identifiers are made: what generating "
        "identifiers must reach to lose nothing.",
    ),
    "captions max": (
        "its captions, the nearest",
        "Each item by the nearest of the generated captions that it was learned from, by the "
        "teacher's text tower: what the captions tell without being learned.",
    ),
    "captions mean": (
        "its captions, their mean",
        "The same by the mean of each item's generated captions.",
    ),
}
COLLISIONS = (
    "collision ceiling",
    "A perfect model that tells apart only what has another code prefix.",
)
SCHEMES: Mapping[str, tuple[str, str]] = {
    "random": (
        "random identifiers",
        "The same training on codes that mean nothing: what is learned by heart.",
    ),
    "shuffled": (
        "shuffled identifiers",
        "The same training on codes dealt to the wrong items: their distribution without their "
        "meaning.",
    ),
}
SAME_PAIRS = "cart-dense"
DENSE = (
    "dual tower, same pairs",
    "A dual tower with the same encoder layers, pairs, steps and schedule, exact search: what "
    "the paradigm itself gives.",
)


@dataclass(frozen=True)
class Held:
    """One line of a block.

    shares    metric of METRICS -> fraction of 1; where it is not known, none
    measures  the same with intervals, of retrievers that were measured
    above     how far the retriever lies above a control, paired by query
    """

    label: str
    meaning: str
    shares: Mapping[str, float]
    measures: Mapping[str, Measure] = field(default_factory=dict)
    above: Mapping[str, Measure] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """A retriever, and what it is held against: controls first, then ceilings."""

    row: Row
    lines: tuple[Held, ...]


def blocks(rows: Sequence[Row], store: ResultStore) -> list[Block]:
    """A block for each generative retriever that tells of its parts, controls and variants
    excepted; ``rows`` may be of several datasets."""
    return [
        Block(row, tuple(_lines(row, rows, store)))
        for row in rows
        if row.status == "done" and _base(row) == row.retriever.name and _own(row)
    ]


def is_own(name: str) -> bool:
    """Whether a diagnostic is one of those that a block shows."""
    return name.startswith(PREFIX)


def _base(row: Row) -> str:
    """The name without a variant's changes."""
    return row.retriever.name.partition("[")[0]


def _lines(row: Row, rows: Sequence[Row], store: ResultStore) -> Iterable[Held]:
    for other in rows:
        told = _control(row, other)
        if told and other.metrics:
            yield Held(
                *told,
                {metric: other.metrics[metric].value for metric in METRICS},
                other.metrics,
                above(row.cells, other.cells, store),
            )
    for name, (label, meaning) in OWN.items():
        shares = {
            metric: value
            for metric in METRICS
            if (value := _mean(row, f"{PREFIX}{name} {metric}")) is not None
        }
        if shares:
            yield Held(label, meaning, shares)
    ceiling = _mean(row, "collision_ceiling")
    if ceiling is not None:
        yield Held(*COLLISIONS, {"R@1": ceiling})


def _control(row: Row, other: Row) -> tuple[str, str] | None:
    """Label and meaning of ``other`` where it is a control of ``row`` on the same data."""
    same = (row.dataset, row.protocol, _towers(row)) == (
        other.dataset,
        other.protocol,
        _towers(other),
    )
    if not same or other.status != "done":
        return None
    if _base(other) == SAME_PAIRS and _set_alike(other, row):
        return DENSE
    scheme = str(other.retriever.options.get("identifiers.scheme", ""))
    return SCHEMES.get(scheme) if _base(other) == _base(row) else None


def _towers(row: Row) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row.retriever.checkpoint.items()))


def _set_alike(control: Row, row: Row) -> bool:
    """Whether every setting that the control tells is the row's too."""
    options = row.retriever.options
    return all(options.get(name) == value for name, value in control.retriever.options.items())


def _own(row: Row) -> bool:
    return any(is_own(name) for cell in row.cells for name in cell.diagnostics)


def _mean(row: Row, name: str) -> float | None:
    """A diagnostic's mean over the seeds that hold it."""
    values = [cell.diagnostics[name] for cell in row.cells if name in cell.diagnostics]
    return float(np.mean(values)) if values else None


def above(first: Sequence[Cell], second: Sequence[Cell], store: ResultStore) -> dict[str, Measure]:
    """How far ``first`` lies above ``second`` by METRICS, over the seeds that both have.

    Empty where they share no seed or were asked other queries.
    """
    pairs = [(a, b) for a, b in product(first, second) if a.spec.seed == b.spec.seed]
    if not pairs:
        return {}
    frames = [
        [store.ranks(cell.spec.key).sort_values("query", kind="stable") for cell in cells]
        for cells in zip(*pairs, strict=True)
    ]
    queries = {tuple(frame["query"]) for side in frames for frame in side}
    if len(queries) > 1:
        return {}
    means = []
    for side in frames:
        found = [per_query(ranks_of(frame)) for frame in side]
        means.append({name: np.mean([one[name] for one in found], axis=0) for name in METRICS})
    return paired_differences(means[0], means[1], list(frames[0][0]["item"]))
