"""The tables of one dataset: accuracy in both directions, cost, diagnostics, controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.controls import METRICS as HELD_METRICS
from bench.controls import Block, Held
from bench.files import file_stem
from reports import units
from reports.comparison import Line, Section
from reports.exports.origin import origin
from reports.exports.table import (
    Column,
    Entry,
    Table,
    hidden,
    in_percent,
    listed,
    number,
    percent,
    with_interval,
    words,
)
from reports.figures import METRICS, Figure

INTERVALS = "In per cent, with 95 % intervals by bootstrap over items."
SYNTHETIC = "Drawn and synthesised data: not for comparison with published figures."
TOLD_APART = (
    "Best, tied and ranks: paired by query, signs of whole items flipped, 5 % with Holm's "
    "correction for all pairs of the table."
)
_WHOSE = hidden(
    *("paradigm", "weights", "dataset", "protocol", "synthetic", "status", "reason", "cells")
)


def accuracy(part: Section) -> Table:
    """Text to media as the page shows it; published figures stand in columns of their own."""
    published = [
        metric
        for metric in METRICS
        if any(line.row.published and metric in line.row.published.percent for line in part.lines)
    ]
    columns = (
        Column("Retriever"),
        *map(with_interval, METRICS),
        *(Column(f"{metric} published", (f"{metric} published",)) for metric in published),
        *([Column("Rank by R@1", ("rank best", "rank worst"))] if part.forward else []),
        Column("Seeds"),
        *(Column(f"{metric} sd", (f"{metric} sd",), shown=False) for metric in METRICS),
        *_WHOSE,
    )
    rows = tuple(
        (
            words(line.label),
            *map(_marked, line.figures),
            *(_published(line, metric) for metric in published),
            *([_rank(line.figures[0])] if part.forward else []),
            words(", ".join(map(str, line.row.seeds))),
            *map(_spread, line.figures),
            *_whose(line),
        )
        for line in part.lines
    )
    title = f"Text to media on {part.label}"
    told = [TOLD_APART] if part.forward else []
    return _table(part, "accuracy", title, columns, rows, (INTERVALS, *told, *_missing(part)))


def pairs(part: Section) -> Table:
    """Every two rows held against each other by R@1; the section has standings."""
    found = part.forward[METRICS[0]]
    columns = (
        *(Column("First"), Column("Second")),
        with_interval("points", "First less second"),
        *(Column("p", ("p",)), Column("p, Holm", ("p holm",))),
        *(Column("Detectable", ("detectable points",)), Column("Better")),
    )
    rows = tuple(
        (
            words(part.lines[pair.first].label),
            words(part.lines[pair.second].label),
            percent(pair.apart),
            number(pair.p, units.p_value(pair.p)),
            number(pair.adjusted, units.p_value(pair.adjusted)),
            number(in_percent(pair.detectable), units.percent(pair.detectable)),
            words("" if pair.better is None else part.lines[pair.better].label),
        )
        for pair in found.pairs
    )
    left_out = [f"{part.lines[place].label}: {reason}" for place, reason in found.left_out]
    title = f"Differences in R@1 on {part.label}, in points"
    return _table(part, "pairs", title, columns, rows, (TOLD_APART, *left_out))


def media_to_text(part: Section) -> Table:
    """The reverse direction, of the retrievers that rank texts."""
    columns = (
        Column("Retriever"),
        *map(with_interval, METRICS),
        *(Column(f"{metric} sd", (f"{metric} sd",), shown=False) for metric in METRICS),
        *_WHOSE,
    )
    rows = tuple(
        (
            words(line.label),
            *(percent(figure.measure if figure else None) for figure in line.reverse),
            *map(_spread, line.reverse),
            *_whose(line),
        )
        for line in part.two_way
    )
    rule = f"Rule: {part.rule}."
    title = f"Media to text on {part.label}"
    return _table(part, "media-to-text", title, columns, rows, (INTERVALS, rule))


def cost(part: Section) -> Table:
    """What each retriever took, of the lines that finished."""
    columns = (
        Column("Retriever"),
        Column("Gallery", ("gallery items",)),
        Column("Queries", ("queries",)),
        Column("Training", ("training seconds",)),
        Column("Indexing", ("indexing seconds",)),
        Column("Index size", ("index bytes",)),
        Column("Peak memory", ("peak bytes",)),
        *_WHOSE,
    )
    rows = tuple(
        (
            words(line.label),
            number(line.gallery, units.count(line.gallery)),
            number(line.queries, units.count(line.queries)),
            number(line.train_seconds, units.seconds(line.train_seconds)),
            number(line.index_seconds, units.seconds(line.index_seconds)),
            number(line.index_bytes, units.size(line.index_bytes)),
            number(line.peak_bytes, units.size(line.peak_bytes)),
            *_whose(line),
        )
        for line in part.lines
        if line.done
    )
    shared = (
        (f"{part.at_once} datasets shared the machine: alone each is faster.",)
        if part.at_once > 1
        else ()
    )
    notes = ("Seconds are means over the seeds, memory is the largest.", *shared)
    return _table(part, "cost", f"Cost on {part.label}", columns, rows, notes)


def diagnostics(part: Section) -> Table:
    """What retrievers say of themselves, a row a figure."""
    columns = (Column("Retriever"), Column("Figure"), Column("Value", ("value",)))
    rows = tuple(
        (words(line.label), words(name), number(value, units.plain(value)))
        for line in part.diagnosed
        for name, value in line.diagnostics.items()
    )
    title = f"Diagnostics on {part.label}"
    return _table(part, "diagnostics", title, columns, rows, ("Means over the seeds.",))


def controls(part: Section, block: Block) -> Table:
    """A generative retriever beside its controls and ceilings."""
    own = Held(
        block.row.name,
        "",
        {metric: block.row.metrics[metric].value for metric in HELD_METRICS},
        block.row.metrics,
    )
    columns = (
        Column("Held against"),
        *(
            column
            for metric in HELD_METRICS
            for column in (Column(metric, (metric,)), with_interval(f"above {metric}"))
        ),
    )
    rows = tuple(
        (
            words(line.label),
            *(entry for metric in HELD_METRICS for entry in _held(line, metric)),
        )
        for line in (own, *block.lines)
    )
    notes = (
        "In per cent; above: how far the retriever lies above a control, paired by query.",
        *(f"{line.label}: {line.meaning}" for line in block.lines),
    )
    label = next((line.label for line in part.lines if line.row is block.row), block.row.name)
    title = f"{label} on {part.label} beside its controls and ceilings"
    return _table(part, f"controls-{label}", title, columns, rows, notes)


def _marked(figure: Figure | None) -> Entry:
    if figure is None:
        return percent(None)
    remark = " best" if figure.best else " tied for best" if figure.tied else ""
    return percent(figure.measure, remark)


def _rank(figure: Figure | None) -> Entry:
    standing = figure.standing if figure else None
    if standing is None:
        return Entry(units.ABSENT, (None, None))
    best, worst = standing.best, standing.worst
    return Entry(str(best) if best == worst else f"{best}–{worst}", (best, worst))


def _held(line: Held, metric: str) -> Iterator[Entry]:
    share = line.shares.get(metric)
    if share is None:
        yield number(None, "")
    else:
        yield number(in_percent(share), units.percent(share))
    yield percent(line.above.get(metric))


def _table(
    part: Section,
    kind: str,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[tuple[Entry, ...]],
    notes: Sequence[str],
) -> Table:
    cells = [cell for line in part.lines for cell in line.row.cells]
    return Table(
        file_stem(f"{kind}-{part.dataset}-{part.protocol}"),
        title,
        tuple(columns),
        tuple(rows),
        (*([SYNTHETIC] if part.synthetic else []), *notes, *part.warnings),
        origin(cells),
        tuple(cell.spec.key for cell in cells),
    )


def _whose(line: Line) -> tuple[Entry, ...]:
    row = line.row
    return (
        words(row.retriever.paradigm),
        words(row.retriever.weights),
        words(row.dataset),
        words(row.protocol),
        words("yes" if row.synthetic else "no"),
        words(row.status),
        words(row.reason),
        listed(cell.spec.key for cell in row.cells),
    )


def _published(line: Line, metric: str) -> Entry:
    found = line.row.published.percent.get(metric) if line.row.published else None
    return number(found, f"{found:.1f}" if found is not None else "")


def _spread(figure: Figure | None) -> Entry:
    sd = figure.sd if figure else None
    return number(None if sd is None else in_percent(sd), units.percent(sd or 0.0))


def _missing(part: Section) -> Iterator[str]:
    for line in part.lines:
        if not line.measured:
            withheld = "withheld, not every seed finished" if line.done else "failed"
            yield f"{line.label}: {withheld}. {line.row.reason}"
