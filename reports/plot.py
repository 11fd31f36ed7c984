"""Recall with its intervals, a row a retriever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.cells import Measure
from reports import units
from reports.comparison import Section
from reports.figures import METRICS
from reports.inline_svg import FIRST, INK, MUTED, PAPER, RULE, SECOND, blank, inline

HEAD_INCHES, LINE_INCHES = 0.62, 0.68
PLOTTED = ("R@1", "R@10")
# Characters that a row has room for.
LABEL = 56
SERIES = (("R@1", 0.07, FIRST, FIRST, "o"), ("R@10", -0.26, SECOND, PAPER, "D"))


@dataclass(frozen=True)
class Bar:
    """One retriever's figures as fractions of 1; a metric without a result is left out."""

    label: str
    measures: dict[str, Measure]


def bars_of(part: Section) -> list[Bar]:
    """A bar a line of a section, those without a result too."""
    return [
        Bar(
            units.cut(units.visible(line.label), LABEL),
            {
                name: figure.measure
                for name, figure in zip(METRICS, line.figures, strict=True)
                if figure and name in PLOTTED
            },
        )
        for line in part.lines
    ]


def recall_plot(bars: Sequence[Bar], identity: str, title: str, description: str) -> Markup:
    """The plot as an ``<svg>`` element.

    ``identity``, ``title`` and ``description`` are as for ``reports.inline_svg.inline``.
    """
    return inline(recall_figure(bars), identity, title, description)


def recall_figure(bars: Sequence[Bar]) -> Figure:
    """A row a retriever: R@1 and R@10 in per cent with whiskers."""
    height = HEAD_INCHES + LINE_INCHES * len(bars)
    figure = blank(height)
    axes = figure.add_axes((0.02, 0.42 / height, 0.93, 1 - 0.5 / height))
    _draw_frame(axes, len(bars))
    for place, bar in enumerate(bars):
        _draw_bar(axes, len(bars) - 1 - place, bar)
    return figure


def _draw_frame(axes: Axes, lines: int) -> None:
    axes.set_xlim(-1.5, 101.5)
    axes.set_ylim(-0.5, lines - 0.5 + 0.12)
    axes.set_yticks([])
    axes.set_xticks(range(0, 101, 20))
    axes.set_xticklabels([f"{tick} %" if tick == 100 else str(tick) for tick in range(0, 101, 20)])
    axes.tick_params(axis="x", length=0, pad=7, labelsize=10.5, labelcolor=MUTED)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_bar(axes: Axes, height: int, bar: Bar) -> None:
    axes.text(0, height + 0.31, bar.label, color=INK, fontsize=11.5, parse_math=False)
    if not bar.measures:
        axes.text(0, height + 0.02, "no result", color=MUTED, fontsize=11, style="italic")
    for metric, offset, colour, face, marker in SERIES:
        if metric in bar.measures:
            _draw_point(axes, height + offset, bar.measures[metric], colour, face, marker)


def _draw_point(
    axes: Axes, height: float, measure: Measure, colour: str, face: str, marker: str
) -> None:
    low, value, high = 100 * measure.low, 100 * measure.value, 100 * measure.high
    axes.plot([low, high], [height, height], color=colour, linewidth=1.6, solid_capstyle="butt")
    for end in (low, high):
        axes.plot([end, end], [height - 0.065, height + 0.065], color=colour, linewidth=1.6)
    axes.plot(
        [value],
        [height],
        marker=marker,
        markersize=6 if marker == "o" else 5.4,
        color=colour,
        markerfacecolor=face,
        markeredgewidth=1.6,
        clip_on=False,
    )
    beyond = high + 1.6
    fits = beyond < 92
    axes.text(
        beyond if fits else low - 1.6,
        height - 0.015,
        f"{value:.1f}",
        ha="left" if fits else "right",
        va="center",
        color=INK,
        fontsize=10.5,
    )
