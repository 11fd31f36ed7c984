"""The tables that a reader decides by: means over datasets, and what each retriever costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.averages import METRICS, Average
from bench.files import file_stem
from reports import units
from reports.decide.costs import Cost, Span
from reports.decide.section import Kind
from reports.exports.origin import origin
from reports.exports.table import Column, Entry, Table, percent, with_interval, words

SPANS: tuple[tuple[str, str, Callable[[Cost], Span | None], Callable[[float], str]], ...] = (
    ("Training", "seconds", lambda cost: cost.train, units.seconds),
    ("Index an item", "seconds", lambda cost: cost.index, lambda it: units.milliseconds(1000 * it)),
    ("Keep an item", "bytes", lambda cost: cost.kept, units.size),
    ("Peak memory", "bytes", lambda cost: cost.peak, units.size),
    ("Add an item", "seconds", lambda cost: cost.add, lambda it: units.milliseconds(1000 * it)),
    ("Train on it", "seconds", lambda cost: cost.adapt, lambda it: units.milliseconds(1000 * it)),
)


def means(averages: Sequence[Average]) -> Table:
    """Means over datasets; a withheld one has its reason."""
    columns = (
        *map(Column, ("Retriever", "Over", "Datasets", "Synthetic", "Untrained")),
        *map(with_interval, METRICS),
        Column("Withheld"),
    )
    rows = tuple(
        (
            words(each.label),
            words(", ".join(each.over)),
            words(", ".join(f"{dataset} ({protocol})" for dataset, protocol in each.datasets)),
            words("yes" if each.synthetic else "no"),
            words("yes" if each.untrained else "no"),
            *(percent(each.metrics.get(metric)) for metric in METRICS),
            words(each.withheld),
        )
        for each in averages
    )
    title = "Means over datasets, text to media"
    notes = ("In per cent, each dataset of equal weight; withheld where a dataset is missing.",)
    return Table("means", title, columns, rows, notes)


def costs(kind: Kind) -> Table:
    """What each retriever costs on the datasets of one modality, the least to the most."""
    columns = (
        *(Column("Retriever"), Column("Paradigm")),
        *(
            Column(name, (f"{name} {unit}, least", f"{name} {unit}, most"))
            for name, unit, _, _ in SPANS
        ),
    )
    rows = tuple(
        (
            words(cost.label),
            words(cost.paradigm),
            *(_span(read(cost), written) for _, _, read, written in SPANS),
        )
        for cost in kind.costs
    )
    cells = [cell for cost in kind.costs for line in cost.lines for cell in line.done]
    return Table(
        file_stem(f"costs-{kind.modality}"),
        f"What each retriever costs, {kind.modality}",
        columns,
        rows,
        ("The least to the most over the datasets.",),
        origin(cells),
        tuple(cell.spec.key for cell in cells),
    )


def _span(span: Span | None, written: Callable[[float], str]) -> Entry:
    if span is None:
        return Entry(units.ABSENT, (None, None))
    low, high = written(span.low), written(span.high)
    return Entry(low if low == high else f"{low} to {high}", (span.low, span.high))
