"""Summary rows arranged for a reader: a section a dataset and protocol, a line a retriever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from bench.cells import Cell, Measure
from bench.summary import Row

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


@dataclass(frozen=True)
class Line:
    """One retriever in one section.

    label    the retriever's name; with its checkpoint where the section has the name twice
    figures  by position of METRICS, None where there is no result
    """

    anchor: str
    label: str
    row: Row
    figures: tuple[Figure | None, ...]

    @property
    def measured(self) -> bool:
        return any(figure is not None for figure in self.figures)

    @property
    def done(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.row.cells if cell.status == "done")

    @property
    def gallery(self) -> int | None:
        return most(cell.counts.get("gallery") for cell in self.done)

    @property
    def queries(self) -> int | None:
        return most(cell.counts.get("queries") for cell in self.done)

    @property
    def train_seconds(self) -> float | None:
        return mean_seconds(self.done, "fit/")

    @property
    def index_seconds(self) -> float | None:
        return mean_seconds(self.done, "index/")

    @property
    def index_bytes(self) -> int | None:
        return most(cell.memory.get("index_bytes") for cell in self.done)

    @property
    def peak_bytes(self) -> int | None:
        return most(cell.memory.get("peak_bytes") for cell in self.done)

    @property
    def diagnostics(self) -> dict[str, float]:
        """Each diagnostic's mean over the seeds that hold it."""
        names = dict.fromkeys(name for cell in self.done for name in cell.diagnostics)
        return {
            name: mean(cell.diagnostics[name] for cell in self.done if name in cell.diagnostics)
            for name in names
        }


@dataclass(frozen=True)
class Section:
    """All lines about one dataset under one protocol.

    notes     what the results say that a reader must see; with names where not all say it
    warnings  reasons why the lines may not be compared with each other
    """

    anchor: str
    dataset: str
    protocol: str
    synthetic: bool
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def gallery(self) -> int | None:
        """The gallery's size where all lines agree on it."""
        return agreed(line.gallery for line in self.lines if line.measured)

    @property
    def queries(self) -> int | None:
        return agreed(line.queries for line in self.lines if line.measured)

    @property
    def diagnosed(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.diagnostics)

    @property
    def several_seeds(self) -> bool:
        return any(len(line.row.seeds) > 1 for line in self.lines)


def sections(rows: Sequence[Row]) -> tuple[Section, ...]:
    """Real datasets first, then synthetic ones; in a section the highest R@1 first."""
    groups: dict[tuple[bool, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.synthetic, row.dataset, row.protocol), []).append(row)
    return tuple(
        _section(f"dataset-{number}", groups[key])
        for number, key in enumerate(sorted(groups), start=1)
    )


def _section(anchor: str, rows: Sequence[Row]) -> Section:
    labels = _labels(rows)
    ordered = sorted(zip(rows, labels, strict=True), key=lambda pair: _merit(pair[0]))
    lines = tuple(
        Line(
            f"{anchor}-{number}",
            label,
            row,
            tuple(
                Figure(row.metrics[name], row.seed_sd.get(name)) if name in row.metrics else None
                for name in METRICS
            ),
        )
        for number, (row, label) in enumerate(ordered, start=1)
    )
    warnings = _warnings(lines)
    first = rows[0]
    return Section(
        anchor,
        first.dataset,
        first.protocol,
        first.synthetic,
        lines if warnings else _mark_best(lines),
        _notes(lines),
        warnings,
    )


def _merit(row: Row) -> tuple[bool, float, str]:
    measure = row.metrics.get("R@1")
    return (measure is None, -measure.value if measure else 0.0, row.retriever.name)


def _labels(rows: Sequence[Row]) -> list[str]:
    """Names; where a name occurs twice, with the checkpoints' last path components."""

    def short(row: Row) -> str:
        parts = (f"{role}={PurePath(at).name}" for role, at in row.retriever.checkpoint.items())
        return f"{row.retriever.name} ({', '.join(parts)})"

    def full(row: Row) -> str:
        parts = (f"{role}={at}" for role, at in row.retriever.checkpoint.items())
        return f"{row.retriever.name} ({', '.join(parts)})"

    names = Counter(row.retriever.name for row in rows)
    shorts = Counter(short(row) for row in rows)
    return [
        row.retriever.name
        if names[row.retriever.name] == 1
        else short(row)
        if shorts[short(row)] == 1
        else full(row)
        for row in rows
    ]


def _notes(lines: Sequence[Line]) -> tuple[str, ...]:
    """Each note once; one that not every finished line has begins with the lines that have it."""
    finished = [line for line in lines if line.done]
    sources: dict[str, list[str]] = {}
    for line in finished:
        for note in dict.fromkeys(note for cell in line.done for note in cell.notes):
            sources.setdefault(note, []).append(line.label)
    return tuple(
        note if len(labels) == len(finished) else f"{', '.join(labels)}: {note}"
        for note, labels in sources.items()
    )


def _warnings(lines: Sequence[Line]) -> tuple[str, ...]:
    """Empty when the lines answered the same questions about the same gallery."""
    measured = [line for line in lines if line.measured]
    if len({cell.spec.dataset_digest for line in measured for cell in line.done}) > 1:
        return (
            "These rows were measured on different versions of the dataset (their digests "
            "differ, see the provenance), so no row is marked best. Run the older ones again.",
        )
    return ()


def _mark_best(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    best = {
        place: _clear_best([line.figures[place] for line in lines]) for place in range(len(METRICS))
    }
    return tuple(
        replace(
            line,
            figures=tuple(
                replace(figure, best=True) if figure and best[place] == number else figure
                for place, figure in enumerate(line.figures)
            ),
        )
        for number, line in enumerate(lines)
    )


def _clear_best(figures: Sequence[Figure | None]) -> int | None:
    """The place whose interval lies wholly above all others; None with fewer than two figures."""
    there = [(place, figure.measure) for place, figure in enumerate(figures) if figure]
    if len(there) < 2:
        return None
    place, top = max(there, key=lambda pair: pair[1].low)
    clear = all(top.low > measure.high for other, measure in there if other != place)
    return place if clear else None


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean of at least one value."""
    kept = list(values)
    return sum(kept) / len(kept)


def mean_seconds(cells: Sequence[Cell], prefix: str) -> float | None:
    """Seconds of all phases named ``prefix``..., mean over cells; None where no cell has any."""
    sums = [
        sum(value for phase, value in cell.seconds.items() if phase.startswith(prefix))
        for cell in cells
        if any(phase.startswith(prefix) for phase in cell.seconds)
    ]
    return mean(sums) if sums else None


def most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def agreed(values: Iterable[int | None]) -> int | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
