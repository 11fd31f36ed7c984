"""Controls and ceilings as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.cells import Measure
from bench.controls import METRICS, Block, Held
from bench.narrow import folded

_LABEL = 25


def results(blocks: Sequence[Block]) -> RenderableType:
    """A table a retriever, and below it what each line means."""
    return Group(*(_block(block) for block in blocks))


def _block(block: Block) -> RenderableType:
    row = block.row
    title = (
        f"{row.name} on {row.dataset} ({row.protocol}) beside its controls and ceilings\n"
        "percent; above: how far it lies above a control, paired by query, in points"
    )
    table = Table(box=box.SIMPLE_HEAD, title=escape(title), title_justify="left", title_style="")
    table.add_column("", overflow="fold", max_width=_LABEL)
    for metric in METRICS:
        table.add_column(metric, justify="right")
        table.add_column(f"above {metric}", justify="right")
    own = Held(row.name, "", {metric: row.metrics[metric].value for metric in METRICS})
    for line in (own, *block.lines):
        cells = []
        for metric in METRICS:
            cells += [_share(line, metric), _points(line.above.get(metric))]
        table.add_row(
            escape(folded(line.label, _LABEL)), *cells, style="bold" if line is own else ""
        )
    meanings = (Text(f"{line.label}: {line.meaning}") for line in block.lines)
    return Group(table, *meanings, Text())


def _share(line: Held, metric: str) -> str:
    return f"{100 * line.shares[metric]:.1f}" if metric in line.shares else "-"


def _points(above: Measure | None) -> str:
    if above is None:
        return ""
    return f"{100 * above.value:+.1f}\n{100 * above.low:+.1f} to {100 * above.high:+.1f}"
