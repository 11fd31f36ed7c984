"""Where the time of a query goes: the phases of each row, one beside the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import units
from reports.inline_svg import FIRST, INK, MUTED, RULE, SECOND, THIRD, blank, inline

HEAD_INCHES, LINE_INCHES = 0.5, 0.62
SHADES = {
    "tokenise": (INK, 0.55),
    "encode": (FIRST, 0.9),
    "search": (SECOND, 0.9),
    "decode": (SECOND, 0.9),
    "score": (THIRD, 0.9),
    "front end": (MUTED, 0.4),
}
OTHER_SHADE = (RULE, 1.0)


@dataclass(frozen=True)
class Spent:
    """One row's milliseconds a query by phase; at least one above 0."""

    label: str
    phases_ms: Mapping[str, float]
    extrapolated: bool

    @property
    def total(self) -> float:
        return sum(self.phases_ms.values())


def phases_plot(rows: Sequence[Spent], identity: str, title: str) -> Markup:
    """The plot as an ``<svg>`` element, whose description holds every figure.

    ``identity`` and ``title`` are as for ``reports.inline_svg.inline``.
    """
    return inline(phases_figure(rows), identity, title, "; ".join(map(_in_words, rows)) + ".")


def phases_figure(rows: Sequence[Spent]) -> Figure:
    """A stacked bar a row, split as its time is.

    Rows lie a thousand times apart, so every bar is as long as the others and its milliseconds
    are written below it, in the order of its parts. At least one row.
    """
    height = HEAD_INCHES + LINE_INCHES * len(rows)
    figure = blank(height)
    axes = figure.add_axes((0.02, 0.36 / height, 0.93, 1 - 0.42 / height))
    _draw_frame(axes, len(rows))
    for place, row in enumerate(rows):
        _draw_row(axes, len(rows) - 1 - place, row)
    return figure


def _draw_frame(axes: Axes, rows: int) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.5, rows - 0.5)
    axes.set_yticks([])
    ticks = range(0, 101, 25)
    axes.set_xticks(ticks, [f"{tick} %" if tick == 100 else str(tick) for tick in ticks])
    axes.tick_params(axis="x", length=0, pad=6, labelsize=10, labelcolor=MUTED)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_row(axes: Axes, height: int, row: Spent) -> None:
    mark = " (extrapolated)" if row.extrapolated else ""
    axes.text(0, height + 0.27, f"{row.label}{mark}", color=INK, fontsize=11, parse_math=False)
    axes.text(100, height + 0.27, units.milliseconds(row.total), color=INK, fontsize=11, ha="right")
    left = 0.0
    for phase, spent in row.phases_ms.items():
        colour, opacity = SHADES.get(phase, OTHER_SHADE)
        share = 100 * spent / row.total
        axes.barh(height + 0.08, max(share - 0.35, 0.0), 0.24, left, color=colour, alpha=opacity)
        left += share
    axes.text(0, height - 0.26, _parts(row, " · "), color=MUTED, fontsize=9, parse_math=False)


def _parts(row: Spent, between: str) -> str:
    return between.join(
        f"{phase} {units.milliseconds(spent)}"
        for phase, spent in row.phases_ms.items()
        if spent > 0
    )


def _in_words(row: Spent) -> str:
    mark = " (extrapolated)" if row.extrapolated else ""
    return (
        f"{row.label}{mark}: {units.milliseconds(row.total)} a query, of which {_parts(row, ', ')}"
    )
