"""What each retriever costs: to train, to index, to keep, and to add one item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.growth.summary import LivingRow
from bench.speed.cells import SpeedCell
from bench.speed.groups import AGAIN
from reports.comparison import Line, Section

SCENARIO = "closed-100"


@dataclass(frozen=True)
class Span:
    """The least and the most of a figure over datasets."""

    low: float
    high: float


@dataclass(frozen=True)
class Served:
    """A row of the sweep that serves the same system, over drawn candidates."""

    row: str
    candidates: int
    rate: float
    extrapolated: bool


@dataclass(frozen=True)
class Cost:
    """One retriever over the datasets of one kind; None where nothing was measured.

    lines   where its figures come from
    train   seconds
    index   seconds an item
    kept    bytes an item of the index
    peak    bytes of the process
    add     seconds an item that is added, without training
    adapt   seconds an item of the short training after that
    served  by the name of the system, the fastest first
    """

    label: str
    paradigm: str
    lines: tuple[Line, ...]
    train: Span | None
    index: Span | None
    kept: Span | None
    peak: Span | None
    add: Span | None
    adapt: Span | None
    served: tuple[Served, ...]


def costs(
    parts: Sequence[Section],
    living: Sequence[LivingRow],
    sweep: Sequence[SpeedCell],
) -> tuple[Cost, ...]:
    """A row for each label that has a result in these sections, in the order of its first."""
    found: dict[str, list[Line]] = {}
    for part in parts:
        for line in part.lines:
            if line.done:
                found.setdefault(line.label, []).append(line)
    datasets = {part.dataset for part in parts}
    grown = [row for row in living if row.dataset in datasets]
    return tuple(_cost(label, lines, grown, sweep) for label, lines in found.items())


def _cost(
    label: str, lines: Sequence[Line], living: Sequence[LivingRow], sweep: Sequence[SpeedCell]
) -> Cost:
    name = lines[0].row.retriever.name
    grown = [row for row in living if row.retriever == name]
    return Cost(
        label=label,
        paradigm=lines[0].row.retriever.paradigm,
        lines=tuple(lines),
        train=_span(line.train_seconds for line in lines),
        index=_span(_each(line.index_seconds, line.gallery) for line in lines),
        kept=_span(_each(line.index_bytes, line.gallery) for line in lines),
        peak=_span(line.peak_bytes for line in lines),
        add=_span(_added(row, "add") for row in grown),
        adapt=_span(_added(row, "adapt") for row in grown),
        served=_served(name, sweep),
    )


def _span(values: Iterable[float | None]) -> Span | None:
    known = [value for value in values if value is not None]
    return Span(min(known), max(known)) if known else None


def _each(whole: float | None, items: int | None) -> float | None:
    return whole / items if whole is not None and items else None


def _added(row: LivingRow, phase: str) -> float | None:
    return _each(row.seconds.get(phase), row.items.get("added"))


def _served(name: str, sweep: Sequence[SpeedCell]) -> tuple[Served, ...]:
    cells = [
        cell
        for cell in sweep
        if cell.spec.options.get("system") == name
        and cell.spec.scenario == SCENARIO
        and cell.throughput is not None
        and not cell.spec.row.endswith(AGAIN)
    ]
    largest = max((cell.spec.candidates for cell in cells), default=0)
    rows = [
        Served(cell.spec.row, largest, cell.throughput.value, cell.extrapolated)
        for cell in cells
        if cell.throughput is not None and cell.spec.candidates == largest
    ]
    return tuple(sorted(rows, key=lambda served: -served.rate))
