"""A table apart from any format: what its cells show, and the figures behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.cells import Measure
from reports import units

Number = int | float | None


@dataclass(frozen=True)
class Column:
    """One column.

    label    its head
    figures  the names that its figures have in a file of plain numbers; empty for words, which
             stand there under the label
    shown    whether a reader of the table sees it; else it is in the file of numbers alone
    """

    label: str
    figures: tuple[str, ...] = ()
    shown: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return self.figures or (self.label,)


@dataclass(frozen=True)
class Entry:
    """One cell: as it is shown, and as many figures as its column names; None where absent."""

    shown: str
    figures: tuple[Number, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table.

    name        of its files, without ending
    notes       sentences that a reader must know
    provenance  which results it is of, a phrase
    cells       their keys
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    provenance: str = ""
    cells: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where a row does not fit the columns, or two figures share a name."""
        names = Counter(name for column in self.columns for name in column.names)
        if any(count > 1 for count in names.values()):
            raise ValueError(f"{self.name} has two columns of one name: {dict(names)}")
        widths = [len(column.figures) for column in self.columns]
        for row in self.rows:
            if [len(entry.figures) for entry in row] != widths:
                raise ValueError(f"a row of {self.name} does not fit its columns")

    def shown(self) -> Iterator[tuple[Entry, ...]]:
        """The rows without what no reader sees."""
        for row in self.rows:
            beside = zip(row, self.columns, strict=True)
            yield tuple(entry for entry, column in beside if column.shown)

    @property
    def heads(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.shown)


def words(text: object) -> Entry:
    """A cell without figures."""
    return Entry(str(text))


def number(value: Number, shown: str) -> Entry:
    return Entry(units.ABSENT if value is None else shown, (value,))


def in_percent(fraction: float) -> float:
    """A fraction of 1, without the digits that are the machine's own: 0.57 is 57.0."""
    return round(100 * fraction, 12)


def with_interval(name: str, label: str = "") -> Column:
    """A column of figures with the bounds of their intervals."""
    return Column(label or name, (name, f"{name} low", f"{name} high"))


def percent(measure: Measure | None, remark: str = "") -> Entry:
    """A fraction of 1 with its interval, all in per cent: "57.7 (55.1–60.2)"."""
    if measure is None:
        return Entry(units.ABSENT, (None,) * 3)
    low, value, high = (units.percent(each) for each in (measure.low, measure.value, measure.high))
    return Entry(
        f"{value} ({low}–{high}){remark}",
        tuple(map(in_percent, (measure.value, measure.low, measure.high))),
    )


def plain(measure: Measure | None, remark: str = "") -> Entry:
    """A figure with its interval: "72.6 (61.8–84.3)"."""
    if measure is None:
        return Entry(remark or units.ABSENT, (None,) * 3)
    value, low, high = (
        units.figure(each, measure.value) for each in (measure.value, measure.low, measure.high)
    )
    return Entry(f"{value} ({low}–{high}){remark}", (measure.value, measure.low, measure.high))


def hidden(*labels: str) -> tuple[Column, ...]:
    """Columns of words for the file of numbers alone."""
    return tuple(Column(label, shown=False) for label in labels)


def listed(values: Iterable[object]) -> Entry:
    """Several words in one cell, a space between them."""
    return words(" ".join(map(str, values)))
