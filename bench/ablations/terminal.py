"""The tables of the ablations for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.ablations import wording
from bench.ablations.evidence import MAIN, Compared, Evidence
from bench.ablations.tables import ABLATIONS
from bench.cells import Measure
from bench.narrow import folded
from bench.published import ablated

_LABEL = 20


def table(found: Evidence) -> RenderableType:
    """One table by R@1, and below it what it says by every metric."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        title=escape(f"{wording.title(found)} ({found.run.of.protocol})"),
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
    )
    shown.add_column(found.ablation.column, overflow="fold", max_width=_LABEL)
    shown.add_column(f"{MAIN}", justify="right", min_width=9)
    shown.add_column("paper", justify="right", min_width=5)
    shown.add_column("to the whole", justify="right", min_width=12)
    shown.add_column("paper", justify="right", min_width=5)
    shown.add_column("direction", max_width=16)
    for row in found.rows:
        shown.add_row(*_cells(row))
    lines = [*wording.directions(found), *_reasons(found.rows), *wording.remarks(found)]
    return Group(shown, *(Text(line) for line in lines), Text())


def _cells(row: Compared) -> Sequence[str]:
    further = row.further.get(MAIN)
    told = row.verdicts.get(MAIN)
    return (
        escape(folded(row.label, _LABEL)),
        _percent(row.measured.get(MAIN)),
        f"{row.published[MAIN]:.2f}" if MAIN in row.published else "-",
        _points(row.apart.get(MAIN)),
        "" if further is None else f"{further:+.2f}",
        wording.VERDICTS[told] if told else "",
    )


def _percent(measure: Measure | None) -> str:
    if measure is None:
        return "-"
    return f"{100 * measure.value:.1f}\n{100 * measure.low:.1f}–{100 * measure.high:.1f}"


def _points(measure: Measure | None) -> str:
    if measure is None:
        return ""
    return f"{100 * measure.value:+.1f}\n{100 * measure.low:+.1f} to {100 * measure.high:+.1f}"


def _reasons(rows: Sequence[Compared]) -> list[str]:
    return [f"{row.label}: {row.reason}" for row in rows if row.reason]


def choices() -> RenderableType:
    """What ``--list`` shows: the tables, their datasets and the changes of their rows."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(no_wrap=True, style="bold")
    shown.add_column(overflow="fold")
    for ablation in ABLATIONS:
        for number in ablation.tables:
            datasets = ", ".join(dict.fromkeys(name for name, _ in ablated(number)))
            shown.add_row(f"Table {number}", escape(f"{ablation.title}; of {datasets}"))
        for setting in ablation.settings:
            changes = "; ".join(f"{name}={text}" for name, text in setting.changes.items())
            shown.add_row("", escape(f"  {setting.label}: {changes or 'the base as it is'}"))
    shown.add_row("Figure 5", "t-SNE of the gallery's items by code prefix")
    return shown
