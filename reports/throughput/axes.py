"""What the plots of the throughput sweep share: logarithmic axes, and names at the lines' ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.inline_svg import INK, MUTED, RULE

LEFT_INCHES, BOTTOM_INCHES, TOP_INCHES = 0.42, 0.5, 0.28
NAME_POINTS = 9.5
BEFORE_NAME_INCHES, LETTER_INCHES = 0.3, 0.069
NAME_GAP_POINTS = 12.5
LONGEST_NAME = 26
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class End:
    """The last point of a line, in the units of the axes, and the name to stand beside it."""

    name: str
    x: float
    y: float
    bold: bool = False


def axes_with_names(figure: Figure, names: Sequence[str], across: str, upward: str) -> Axes:
    """Axes that leave room for ``names`` on the right, titled ``across`` and ``upward``."""
    width, height = figure.get_size_inches()
    longest = max(len(shortened(name)) for name in names)
    beside = BEFORE_NAME_INCHES + LETTER_INCHES * longest
    axes = figure.add_axes(
        (
            LEFT_INCHES / width,
            BOTTOM_INCHES / height,
            1 - (LEFT_INCHES + beside) / width,
            1 - (BOTTOM_INCHES + TOP_INCHES) / height,
        )
    )
    axes.set_xlabel(across, color=MUTED, fontsize=10, labelpad=6)
    figure.text(0.01, 1 - 0.13 / height, upward, color=MUTED, fontsize=10, va="center")
    axes.tick_params(length=0, pad=6, labelsize=10, labelcolor=MUTED)
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def log_limits(values: Sequence[float], margin: float) -> tuple[float, float]:
    """Bounds of a logarithmic axis that holds all values, ``margin`` (a factor) beyond the ends."""
    return min(values) / margin, max(values) * margin


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between the bounds; where fewer than two fit, also 2 and 5 times those."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        ticks = [step * 10.0**power for power in powers for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) > 1:
            return inside
    return inside


def label_rates(axes: Axes) -> None:
    """Ticks of the upward axis, which is logarithmic and has its limits."""
    ticks = log_ticks(*axes.get_ylim())
    axes.set_yticks(ticks, [short(tick) for tick in ticks])
    axes.minorticks_off()


def short(value: float) -> str:
    """A tick's value: 10⁻⁵, 0.01, 5, 200, 1K, 20K, 1M, 10M."""
    if value < 0.0005:
        power = math.floor(math.log10(value) + 1e-9)
        digit = round(value / 10.0**power)
        return f"{'' if digit == 1 else f'{digit}·'}10⁻{str(-power).translate(RAISED)}"
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= unit:
            return f"{value / unit:.12g}{name}"
    return f"{value:.12g}"


def name_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write every name on the right, level with its end or near it, joined by a thin line.

    Limits and scales of the axes are to be set before.
    """
    if not ends:
        return
    to_fraction = axes.transData + axes.transAxes.inverted()
    placed = [(tuple(to_fraction.transform((end.x, end.y))), end) for end in ends]
    placed.sort(key=lambda pair: pair[0][1])
    gap = NAME_GAP_POINTS / 72 * axes.figure.dpi / axes.bbox.height
    heights = spread([point[1] for point, _ in placed], gap, 0.0, 1.0)
    inch = axes.figure.dpi / axes.bbox.width
    for (point, end), level in zip(placed, heights, strict=True):
        axes.plot(
            [point[0], 1 + 0.1 * inch, 1 + 0.18 * inch],
            [point[1], level, level],
            color=MUTED,
            linewidth=0.6,
            transform=axes.transAxes,
            clip_on=False,
            zorder=1,
        )
        axes.text(
            1 + 0.23 * inch,
            level,
            shortened(end.name),
            color=INK,
            fontsize=NAME_POINTS,
            weight="bold" if end.bold else "normal",
            va="center_baseline",
            transform=axes.transAxes,
            parse_math=False,
        )


def shortened(name: str) -> str:
    """A name that fits beside the axes."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least ``gap`` apart, as near as can be (least squares) to those wanted.

    ``wanted`` rises. All lie between ``low`` and ``high`` where these leave room enough, else
    they begin at ``low``.
    """
    groups: list[tuple[float, int]] = []
    for number, position in enumerate(wanted):
        mean, size = position - number * gap, 1
        while groups and groups[-1][0] > mean:
            before, members = groups.pop()
            mean = (before * members + mean * size) / (members + size)
            size += members
        groups.append((mean, size))
    last = max(low, high - (len(wanted) - 1) * gap)
    starts = [min(max(mean, low), last) for mean, size in groups for _ in range(size)]
    return [start + number * gap for number, start in enumerate(starts)]
