"""The results and the choices as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.cells import Measure
from bench.controls import is_own
from bench.left_out import LeftOut
from bench.metrics import METRIC_NAMES
from bench.narrow import folded
from bench.published import Beside
from bench.summary import Row, labels

_NAME, _SEEDS = 18, 6


def results(rows: Sequence[Row]) -> RenderableType:
    """A table for each dataset and protocol, percentages with their 95 % intervals."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.protocol), []).append(row)
    return Group(*(_dataset(group) for group in groups.values()))


def _dataset(rows: Sequence[Row]) -> RenderableType:
    table = _table(box.SIMPLE_HEAD, _title(rows), "bold")
    table.add_column("seeds", justify="right", min_width=_SEEDS)
    names = labels(rows)
    for name, row in zip(names, rows, strict=True):
        table.add_row(
            escape(folded(name, _NAME)),
            *(_figure(row.metrics.get(metric)) for metric in METRIC_NAMES),
            folded(",".join(map(str, row.seeds)), _SEEDS),
        )
        if row.published and row.published.percent:
            percent = row.published.percent
            figures = (f"{percent[each]:.1f}" if each in percent else "-" for each in METRIC_NAMES)
            table.add_row(Text("published", style="dim"), *figures, "")
    remarks = (
        remark for name, row in zip(names, rows, strict=True) for remark in _remarks(name, row)
    )
    lines = [Text(line) for line in (*_untrained(rows), *remarks)]
    backward = [(name, row) for name, row in zip(names, rows, strict=True) if row.reverse]
    reverse = [_media_to_text(backward)] if backward else []
    return Group(table, *reverse, *lines, Text())


def _media_to_text(rows: Sequence[tuple[str, Row]]) -> RenderableType:
    cell = rows[0][1].cells[0]
    chance = 100 * cell.counts["folds"] / cell.counts["items_asked"]
    title = (
        f"{cell.modality} to text: {cell.counts['items_asked']:,} items ask, "
        f"rule {cell.media_to_text}; chance R@1 {chance:.3g}"
    )
    table = _table(box.SIMPLE, escape(title), "")
    for name, row in rows:
        figures = (_figure(row.reverse.get(metric)) for metric in METRIC_NAMES)
        table.add_row(escape(folded(name, _NAME)), *figures)
    return table


def _table(lines: box.Box, title: str, style: str) -> Table:
    """Its columns are the retriever and the metrics."""
    table = Table(
        box=lines,
        title=title,
        title_justify="left",
        title_style=style,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("retriever", overflow="fold", min_width=_NAME, max_width=_NAME)
    for name in METRIC_NAMES:
        table.add_column(name, justify="right", min_width=11)
    return table


def _title(rows: Sequence[Row]) -> str:
    first = rows[0]
    synthetic = ", synthetic: not for comparison with published figures" if first.synthetic else ""
    cell = next((row.cells[0] for row in rows if row.status == "done"), None)
    if cell is None:
        return escape(f"{first.dataset} ({first.protocol}){synthetic}")
    counts = cell.counts
    galleries = (
        f"gallery of {counts['gallery']:,}"
        if counts["folds"] == 1
        else f"mean of {counts['folds']} galleries of {counts['gallery']:,}"
    )
    return escape(
        f"{first.dataset} ({first.protocol}), text to {cell.modality}{synthetic}\n"
        f"{counts['queries']:,} queries, {galleries}; "
        f"chance R@1 {100 / counts['gallery']:.3g}; percent, 95 % interval below"
    )


def _figure(measure: Measure | None) -> str:
    if measure is None:
        return "-"
    return f"{100 * measure.value:.1f}\n{100 * measure.low:.1f}–{100 * measure.high:.1f}"


def _remarks(name: str, row: Row) -> Iterable[str]:
    if row.reason:
        yield f"{name} {row.status}: {row.reason}"
    if row.captioning:
        yield f"{name}: {row.captioning}"
    if row.status == "partial":
        yield f"{name}: no average is shown while a seed has failed"
    if row.published:
        yield f"{name}: {_published(row.published)}"
    if row.status == "done" and len(row.seeds) > 1:
        spread = ", ".join(
            f"{each} {100 * sd:.1f}" for each, sd in row.seed_sd.items() if sd is not None
        )
        yield f"{name}: standard deviation over seeds {spread}"
    if row.status == "done" and any(cell.diagnostics for cell in row.cells):
        yield f"{name}: {_diagnostics([cell.diagnostics for cell in row.cells])}"
    if row.superseded:
        yield f"{name}: {row.superseded} stored results of other code, options or data not shown"


def _untrained(rows: Sequence[Row]) -> Iterable[str]:
    names = [row.retriever.name for row in rows if row.retriever.weights == "random"]
    if names:
        yield f"Untrained, random weights, what they find is chance: {', '.join(names)}"


def _published(found: Beside) -> str:
    if found.percent:
        return f"published: {found.source}"
    return f"not compared with {found.source}: {'; '.join(found.differs)}"


def _diagnostics(cells: Sequence[Mapping[str, float]]) -> str:
    """Means over the seeds that hold the figure; what is told of parts has a table of its own."""
    names = list(dict.fromkeys(name for cell in cells for name in cell if not is_own(name)))
    held = {name: [cell[name] for cell in cells if name in cell] for name in names}
    return "; ".join(f"{name} {sum(each) / len(each):.3g}" for name, each in held.items())


def left_out(groups: Sequence[LeftOut], in_short: bool) -> RenderableType:
    """A line for each retriever that did not run, and each dataset that was not loaded.

    in_short  those that ran nowhere are named together, without their reasons
    """
    most = max((len(group.datasets) for group in groups if group.retriever), default=0)
    nowhere = [group for group in groups if group.retriever and len(group.datasets) == most]
    if not in_short or len(nowhere) < 2:
        return Group(*(Text(_left_out(group)) for group in groups))
    names = ", ".join(group.retriever for group in nowhere)
    told = f"Left out: {names}. What each needs: python -m bench.accuracy --list --retriever NAME"
    others = [group for group in groups if group not in nowhere]
    return Group(Text(told), *(Text(_left_out(group)) for group in others))


def _left_out(group: LeftOut) -> str:
    datasets = ", ".join(group.datasets)
    if not group.retriever:
        return f"Failed: {datasets}. {group.reason}"
    return f"Left out: {group.retriever} on {datasets}. {group.reason}"


def choices(found: Mapping[str, Mapping[str, Sequence[str]]]) -> RenderableType:
    """What ``--list`` shows: of each kind, every name with some sentences that say what it is."""
    return Group(*(_choices(kind, entries) for kind, entries in found.items()))


def _choices(kind: str, entries: Mapping[str, Sequence[str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, lines in entries.items():
        table.add_row(escape(name), escape("\n".join(lines)))
    return Group(Text(kind.capitalize(), style="bold underline"), table, Text())
