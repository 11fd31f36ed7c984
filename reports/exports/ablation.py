"""A table of the ablations: by R@1 for a reader, by every metric in the file of numbers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.ablations import wording
from bench.ablations.evidence import MAIN, Compared, Evidence
from bench.cells import Measure
from bench.metrics import METRIC_NAMES
from reports.exports.origin import origin
from reports.exports.table import Column, Entry, Table, hidden, in_percent, number, percent, words

OTHERS = tuple(name for name in METRIC_NAMES if name != MAIN)


def ablation(found: Evidence) -> Table:
    """Measured beside published, with the difference to the whole and its direction."""
    columns = (
        Column(found.ablation.column),
        *_columns(MAIN, shown=True),
        *(column for metric in OTHERS for column in _columns(metric, shown=False)),
        *hidden("setting", "retriever", "seeds", "reason"),
    )
    rows = tuple(
        (
            words(row.label),
            *_entries(row, MAIN),
            *(entry for metric in OTHERS for entry in _entries(row, metric)),
            words(row.setting),
            words(row.retriever),
            words(", ".join(map(str, row.seeds))),
            words(row.reason),
        )
        for row in found.rows
    )
    return Table(
        found.run.stem,
        wording.title(found),
        columns,
        rows,
        (*wording.directions(found), *wording.remarks(found)),
        origin(found.cells),
        tuple(cell.spec.key for cell in found.cells),
    )


def _columns(metric: str, *, shown: bool) -> Iterator[Column]:
    apart = f"{metric} difference"
    yield Column(metric, (metric, f"{metric} low", f"{metric} high"), shown)
    yield Column("published", (f"{metric} published",), shown)
    yield Column("to the whole", (apart, f"{apart} low", f"{apart} high"), shown)
    yield Column("published", (f"{metric} published difference",), shown)
    # Words stand under their label in the file of numbers, where every metric has its own.
    yield Column("direction" if shown else f"{metric} direction", (), shown)


def _entries(row: Compared, metric: str) -> Iterator[Entry]:
    told = row.verdicts.get(metric)
    measure, published = row.measured.get(metric), row.published.get(metric)
    further = row.further.get(metric)
    yield percent(measure)
    yield number(published, "" if published is None else f"{published:.2f}")
    yield _apart(row.apart.get(metric))
    yield number(further, "" if further is None else f"{further:+.2f}")
    yield words(wording.VERDICTS[told] if told else "")


def _apart(measure: Measure | None) -> Entry:
    """In points, with its signs."""
    if measure is None:
        return Entry("", (None,) * 3)
    figures = tuple(map(in_percent, (measure.value, measure.low, measure.high)))
    return Entry(wording.points(measure), figures)
