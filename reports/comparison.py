"""Summary rows arranged for a reader: a section a dataset and protocol, a line a retriever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.cells import Cell
from bench.standings import Standings, standings_by
from bench.store import ResultStore
from bench.summary import Row, labels
from datasets import registry
from reports.figures import METRICS, Figure, figures_of, with_standings


@dataclass(frozen=True)
class Line:
    """One retriever in one section.

    label    the retriever's name; with its checkpoint where the section has the name twice
    figures  by position of METRICS, None where there is no result
    reverse  the same of media that ask for their text; all None where it ranks no texts
    """

    anchor: str
    label: str
    row: Row
    figures: tuple[Figure | None, ...]
    reverse: tuple[Figure | None, ...]

    @property
    def measured(self) -> bool:
        return any(figure is not None for figure in self.figures)

    @property
    def two_way(self) -> bool:
        return any(figure is not None for figure in self.reverse)

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

    label     the dataset's name; with the protocol where the page has the dataset twice
    notes     what the results say that a reader must see; with names where not all say it
    warnings  reasons why the lines may not be compared with each other
    forward   metric -> how the lines stand, in their order; empty where fewer than two can be
              compared
    backward  the same of media that ask for their text
    """

    anchor: str
    label: str
    dataset: str
    protocol: str
    synthetic: bool
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    forward: Mapping[str, Standings] = field(default_factory=dict)
    backward: Mapping[str, Standings] = field(default_factory=dict)

    @property
    def gallery(self) -> int | None:
        """The gallery's size where all lines agree on it."""
        return agreed(line.gallery for line in self.lines if line.measured)

    @property
    def queries(self) -> int | None:
        return agreed(line.queries for line in self.lines if line.measured)

    @property
    def folds(self) -> int:
        """Galleries that the figures are the mean of."""
        return most(cell.counts.get("folds") for cell in self._cells) or 1

    @property
    def modality(self) -> str:
        """What the gallery holds, "" where nothing finished."""
        return next((cell.modality for cell in self._cells), "")

    @property
    def rule(self) -> str:
        """The dataset's rule of the reverse direction, "" where nothing finished."""
        return next((cell.media_to_text for cell in self._cells), "")

    @property
    def at_once(self) -> int:
        """How many cells shared the machine while any of these was measured."""
        return max((int(cell.machine.get("cells at once", "1")) for cell in self._cells), default=1)

    @property
    def items_asked(self) -> int | None:
        """How many items ask for their text, where all lines agree on it."""
        return agreed(cell.counts.get("items_asked") for cell in self._cells if cell.reverse)

    @property
    def two_way(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.two_way)

    @property
    def one_way(self) -> tuple[Line, ...]:
        """Lines with figures that have none of the reverse direction."""
        return tuple(line for line in self.lines if line.measured and not line.two_way)

    @property
    def _cells(self) -> tuple[Cell, ...]:
        return tuple(cell for line in self.lines for cell in line.done)

    @property
    def diagnosed(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.diagnostics)

    @property
    def beside(self) -> tuple[Line, ...]:
        """Lines that the paper has a row of."""
        return tuple(line for line in self.lines if line.measured and line.row.published)

    @property
    def several_seeds(self) -> bool:
        return any(len(line.row.seeds) > 1 for line in self.lines)


def sections(rows: Sequence[Row], anchor: str = "dataset") -> tuple[Section, ...]:
    """The user's own data first, then the order of the registry; in each the highest R@1 first.

    anchor  what the sections' anchors begin with
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.protocol), []).append(row)
    times = Counter(dataset for dataset, _ in groups)
    order = {name: place for place, name in enumerate(registry.names())}
    ordered = sorted(groups, key=lambda group: (order.get(group[0], -1), *group))
    return tuple(
        _section(
            f"{anchor}-{number}",
            dataset if times[dataset] == 1 else f"{dataset} ({protocol})",
            groups[dataset, protocol],
        )
        for number, (dataset, protocol) in enumerate(ordered, start=1)
    )


def _section(anchor: str, label: str, rows: Sequence[Row]) -> Section:
    ordered = sorted(zip(rows, labels(rows), strict=True), key=lambda pair: _merit(pair[0]))
    lines = tuple(
        Line(
            f"{anchor}-{number}",
            name,
            row,
            figures_of(row.metrics, row.seed_sd),
            figures_of(row.reverse, row.reverse_sd),
        )
        for number, (row, name) in enumerate(ordered, start=1)
    )
    first = rows[0]
    return Section(
        anchor,
        label,
        first.dataset,
        first.protocol,
        first.synthetic,
        lines,
        _notes(lines),
        _warnings(lines),
    )


def with_standings_of(part: Section, store: ResultStore) -> Section:
    """The section with each figure's standing, where its lines may be compared."""
    if part.warnings:
        return part
    rows = [line.row for line in part.lines]
    forward = _told_apart(standings_by(METRICS, rows, store))
    backward = _told_apart(standings_by(METRICS, rows, store, reverse=True))
    figures = [line.figures for line in part.lines]
    reverse = [line.reverse for line in part.lines]
    if forward:
        figures = with_standings(figures, forward)
    if backward:
        reverse = with_standings(reverse, backward)
    lines = tuple(
        replace(line, figures=one, reverse=other)
        for line, one, other in zip(part.lines, figures, reverse, strict=True)
    )
    return replace(part, lines=lines, forward=forward, backward=backward)


def _told_apart(found: Mapping[str, Standings]) -> Mapping[str, Standings]:
    return found if all(each.pairs for each in found.values()) else {}


def _merit(row: Row) -> tuple[bool, float, str]:
    measure = row.metrics.get("R@1")
    return (measure is None, -measure.value if measure else 0.0, row.name)


def _notes(lines: Sequence[Line]) -> tuple[str, ...]:
    """Each note once; one that not every finished line has begins with the lines that have it."""
    finished = [line for line in lines if line.done]
    sources: dict[str, list[str]] = {}
    for line in finished:
        for note in dict.fromkeys(note for cell in line.done for note in cell.notes):
            sources.setdefault(note, []).append(line.label)
    return tuple(
        note if len(told) == len(finished) else f"{', '.join(told)}: {note}"
        for note, told in sources.items()
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
