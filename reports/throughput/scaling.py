"""Queries a second against candidates, as figure 4 of the CART paper draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.cells import Measure
from reports import units
from reports.inline_svg import FIRST, INK, PAPER, SECOND, THIRD, blank, inline
from reports.throughput.axes import (
    NAME_GAP_POINTS,
    End,
    axes_with_names,
    label_rates,
    log_limits,
    log_ticks,
    name_ends,
    short,
)

LEAST_INCHES, MOST_INCHES, AROUND_INCHES = 3.8, 7.0, 0.8
DECADE_INCHES = 0.7
MARKS = {
    "generative": ("o", FIRST),
    "dual tower": ("D", SECOND),
    "single tower": ("s", THIRD),
}
OTHER_MARK = ("^", INK)


@dataclass(frozen=True)
class Point:
    candidates: int
    rate: Measure
    extrapolated: bool


@dataclass(frozen=True)
class Trace:
    """One row's queries a second, the smallest gallery first; at least one point.

    bold  stands out from the others
    """

    label: str
    paradigm: str
    bold: bool
    points: tuple[Point, ...]


def scaling_plot(traces: Sequence[Trace], identity: str, title: str) -> Markup:
    """The plot as an ``<svg>`` element, whose description holds every figure.

    ``identity`` and ``title`` are as for ``reports.inline_svg.inline``.
    """
    told = "; ".join(map(_in_words, traces)) + "."
    return inline(scaling_figure(traces), identity, title, told)


def scaling_figure(traces: Sequence[Trace]) -> Figure:
    """Both axes logarithmic, a line a row, whiskers for the intervals.

    Marks tell the paradigm, hollow ones are extrapolated. At least one trace.
    """
    figure = blank(_height(traces))
    axes = axes_with_names(
        figure, [trace.label for trace in traces], "candidates", "queries a second"
    )
    _scale(axes, [point for trace in traces for point in trace.points])
    for trace in traces:
        _draw(axes, trace)
    name_ends(
        axes,
        [
            End(trace.label, last.candidates, last.rate.value, trace.bold)
            for trace in traces
            for last in trace.points[-1:]
        ],
    )
    return figure


def _height(traces: Sequence[Trace]) -> float:
    """Inches: room for the names, and for the powers of ten as far as the page allows."""
    rates = [point.rate.value for trace in traces for point in trace.points]
    names = len(traces) * NAME_GAP_POINTS / 72
    decades = DECADE_INCHES * math.log10(max(rates) / min(rates))
    return AROUND_INCHES + max(names, min(max(decades, LEAST_INCHES), MOST_INCHES))


def _scale(axes: Axes, points: Sequence[Point]) -> None:
    sizes = sorted({point.candidates for point in points})
    across = log_limits(sizes, 1.25)
    upward = log_limits([point.rate.value for point in points], 1.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*across)
    axes.set_ylim(*upward)
    ticks = sizes if len(sizes) <= 5 else log_ticks(*across)
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    label_rates(axes)


def _draw(axes: Axes, trace: Trace) -> None:
    marker, colour = MARKS.get(trace.paradigm, OTHER_MARK)
    axes.plot(
        [point.candidates for point in trace.points],
        [point.rate.value for point in trace.points],
        color=colour,
        linewidth=2.4 if trace.bold else 1.2,
    )
    floor = axes.get_ylim()[0]
    for point in trace.points:
        bounds = [max(point.rate.low, floor), max(point.rate.high, floor)]
        axes.plot([point.candidates] * 2, bounds, color=colour, linewidth=3.2, alpha=0.45)
        axes.plot(
            [point.candidates],
            [point.rate.value],
            marker=marker,
            markersize=5.4 if marker == "o" else 4.6,
            color=colour,
            markerfacecolor=PAPER if point.extrapolated else colour,
            markeredgewidth=1.4,
            clip_on=False,
        )


def _in_words(trace: Trace) -> str:
    figures = ", ".join(
        f"{_interval(point.rate)} of {units.count(point.candidates)} candidates"
        f"{' (extrapolated)' if point.extrapolated else ''}"
        for point in trace.points
    )
    return f"{trace.label}, {trace.paradigm or 'no paradigm'}: {figures}"


def _interval(rate: Measure) -> str:
    low, high = (units.figure(bound, rate.value) for bound in (rate.low, rate.high))
    return f"{units.figure(rate.value)} queries a second ({low} to {high})"
