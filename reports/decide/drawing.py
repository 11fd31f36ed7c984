"""The picture of accuracy against speed, drawn."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import units
from reports.decide.pictures import METRIC, Option, Picture
from reports.inline_svg import INK, PAPER, blank, inline
from reports.throughput.axes import (
    NAME_GAP_POINTS,
    End,
    axes_with_names,
    log_limits,
    log_ticks,
    name_ends,
    short,
)
from reports.throughput.scaling import MARKS, OTHER_MARK

LEAST_INCHES, AROUND_INCHES = 3.0, 0.85
MARGIN = 0.06


def front_plot(picture: Picture) -> Markup:
    """The figure as an ``<svg>`` of the page. At least one option."""
    title = f"Accuracy against speed on {units.visible(picture.section.label)}"
    described = "; ".join(map(in_words, picture.options)) + "."
    return inline(front_figure(picture), f"{picture.section.anchor}-front", title, described)


def front_figure(picture: Picture) -> Figure:
    """R@1 upwards, queries a second to the right (logarithmic), with whiskers.

    Marks tell the paradigm; those on the front are filled and joined. At least one option.
    """
    options = picture.options
    names = [units.visible(option.line.label) for option in options]
    figure = blank(AROUND_INCHES + max(LEAST_INCHES, len(options) * NAME_GAP_POINTS / 72))
    axes = axes_with_names(
        figure, names, "queries a second, in calls of 100", f"{METRIC}, per cent"
    )
    _scale(axes, options)
    _join(axes, picture.front)
    for option in options:
        _draw(axes, option)
    ends = [
        End(name, option.rate.value, 100 * option.recall.value, option.standing == "front")
        for name, option in zip(names, options, strict=True)
    ]
    name_ends(axes, ends)
    return figure


def in_words(option: Option) -> str:
    """Both figures of an option with their intervals, and where it stands."""
    recall, rate = option.recall, option.rate
    places = {"front": "on the front", "near": "not surely behind it", "behind": "behind it"}
    return (
        f"{units.visible(option.line.label)}: {METRIC} {units.percent(recall.value)} % "
        f"({units.percent(recall.low)} to {units.percent(recall.high)}), "
        f"{units.figure(rate.value)} queries a second "
        f"({units.figure(rate.low, rate.value)} to {units.figure(rate.high, rate.value)}), "
        f"{places[option.standing]}"
    )


def _scale(axes: Axes, options: Sequence[Option]) -> None:
    across = log_limits(
        [bound for each in options for bound in (each.rate.low, each.rate.high)], 1.6
    )
    low = min(100 * option.recall.low for option in options)
    high = max(100 * option.recall.high for option in options)
    room = max(MARGIN * (high - low), 0.5)
    axes.set_xscale("log")
    axes.set_xlim(*across)
    axes.set_ylim(max(low - room, -1), min(high + room, 101))
    ticks = log_ticks(*across)
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.minorticks_off()


def _join(axes: Axes, front: Sequence[Option]) -> None:
    ordered = sorted(front, key=lambda option: option.rate.value)
    axes.plot(
        [option.rate.value for option in ordered],
        [100 * option.recall.value for option in ordered],
        color=INK,
        linewidth=0.9,
        linestyle=(0, (4, 3)),
        zorder=2,
    )


def _draw(axes: Axes, option: Option) -> None:
    marker, colour = MARKS.get(option.line.row.retriever.paradigm, OTHER_MARK)
    recall, rate = option.recall, option.rate
    across, upward = rate.value, 100 * recall.value
    axes.plot([rate.low, rate.high], [upward, upward], color=colour, linewidth=1.4, zorder=3)
    axes.plot(
        [across, across],
        [100 * recall.low, 100 * recall.high],
        color=colour,
        linewidth=1.4,
        zorder=3,
    )
    axes.plot(
        [across],
        [upward],
        marker=marker,
        markersize=7,
        color=colour,
        markerfacecolor=colour if option.standing == "front" else PAPER,
        markeredgewidth=1.6,
        zorder=4,
    )
