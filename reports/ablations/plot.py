"""A table of the ablations as two panels: what was measured, and what was published."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bench.ablations.evidence import MAIN, Compared, Evidence
from reports import units
from reports.ablations.palette import Palette

WIDTH_INCHES, HEAD_INCHES, LINE_INCHES = 7.2, 0.95, 0.36
LABELS, PANEL, GAP = 0.25, 0.345, 0.04


def draw(found: Evidence, palette: Palette) -> Figure:
    """A row a setting. The scales differ, since the sizes do: compare the shapes.

    The dotted line is CART as a whole. Whiskers are 95 % intervals; published figures have none.
    """
    rows = found.rows
    height = HEAD_INCHES + LINE_INCHES * len(rows)
    figure = Figure(figsize=(WIDTH_INCHES, height), facecolor=palette.paper)
    FigureCanvasSVG(figure)
    bottom, tall = 0.45 / height, LINE_INCHES * len(rows) / height
    measured = figure.add_axes((LABELS, bottom, PANEL, tall))
    published = figure.add_axes((LABELS + PANEL + GAP, bottom, PANEL, tall))
    of = found.run.of.dataset
    _frame(measured, rows, f"measured, {units.visible(of)}", palette)
    _frame(published, rows, f"published, {found.run.published}", palette)
    for place, row in enumerate(rows):
        level = len(rows) - 1 - place
        _label(measured, level, row, found, palette)
        _measured(measured, level, row, palette)
        _published(published, level, row, palette)
    whole = found.whole
    if MAIN in whole.measured:
        _reference(measured, 100 * whole.measured[MAIN].value, palette)
    _reference(published, whole.published[MAIN], palette)
    return figure


def in_words(found: Evidence) -> str:
    """The same for who cannot see it."""
    return "; ".join(_in_words(row) for row in found.rows) + "."


def _in_words(row: Compared) -> str:
    told = f"{row.label}: published {row.published[MAIN]:.2f}"
    if MAIN not in row.measured:
        return f"{told}, not measured"
    measure = row.measured[MAIN]
    return (
        f"{told}, measured {units.percent(measure.value)} ({units.percent(measure.low)} to "
        f"{units.percent(measure.high)})"
    )


def _frame(axes: Axes, rows: Sequence[Compared], title: str, palette: Palette) -> None:
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontsize=9.5, color=palette.muted, parse_math=False)
    axes.set_xlabel(f"{MAIN}, per cent", fontsize=9, color=palette.muted)
    axes.tick_params(axis="x", length=0, pad=5, labelsize=9, labelcolor=palette.muted)
    axes.grid(axis="x", color=palette.rule, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.12)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _label(axes: Axes, level: int, row: Compared, found: Evidence, palette: Palette) -> None:
    own = row.setting == found.ablation.whole
    axes.text(
        -0.04,
        level,
        units.visible(row.label),
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        fontsize=10,
        fontweight="bold" if own else "normal",
        color=palette.ink,
        parse_math=False,
    )


def _measured(axes: Axes, level: int, row: Compared, palette: Palette) -> None:
    if MAIN not in row.measured:
        return
    measure = row.measured[MAIN]
    low, value, high = 100 * measure.low, 100 * measure.value, 100 * measure.high
    axes.plot([low, high], [level, level], color=palette.first, linewidth=1.5)
    axes.plot([value], [level], marker="o", markersize=5.5, color=palette.first)


def _published(axes: Axes, level: int, row: Compared, palette: Palette) -> None:
    if MAIN in row.published:
        value = row.published[MAIN]
        axes.plot(
            [value],
            [level],
            marker="D",
            markersize=5,
            color=palette.second,
            markerfacecolor=palette.paper,
            markeredgewidth=1.5,
        )


def _reference(axes: Axes, value: float, palette: Palette) -> None:
    axes.axvline(value, color=palette.muted, linewidth=1, linestyle=":", zorder=0)
