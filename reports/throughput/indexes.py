"""What approximate indexes give up for speed: recall@10 against queries a second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.speed.cells import Scalar, SpeedCell
from reports import units
from reports.inline_svg import MUTED, PAPER, SECOND, blank, inline
from reports.throughput.axes import (
    End,
    axes_with_names,
    label_rates,
    log_limits,
    name_ends,
)

HEIGHT_INCHES = 3.8
TARGET = 0.95
MARKERS = ("D", "o", "s", "^", "v")
PREFIX, RECALL, RATE = "curve/", "/recall@10", "/queries/s"


@dataclass(frozen=True)
class Setting:
    """One search setting; ``recall`` is the share it found of exact search's first ten."""

    name: str
    recall: float
    rate: float


@dataclass(frozen=True)
class Curve:
    """The settings that were tried when one row's index was tuned, the lowest recall first.

    serving  recall of the setting that was chosen, on queries that had no part in the choice;
             None where it was not told
    reached  whether the choice met its target
    """

    label: str
    candidates: int
    settings: tuple[Setting, ...]
    serving: float | None = None
    reached: bool = True


def curves(cells: Iterable[tuple[str, SpeedCell]]) -> tuple[Curve, ...]:
    """The curves that the cells' facts hold, once a label, of the largest gallery that has any."""
    found: dict[str, Curve] = {}
    for label, cell in cells:
        settings = _settings(cell)
        if settings and (label not in found or found[label].candidates < cell.spec.candidates):
            held_out = cell.facts.get("recall@10")
            found[label] = Curve(
                label,
                cell.spec.candidates,
                settings,
                held_out if _is_share(held_out) else None,
                cell.facts.get("target reached") is not False,
            )
    largest = max((curve.candidates for curve in found.values()), default=0)
    return tuple(curve for curve in found.values() if curve.candidates == largest)


def curve_plot(found: Sequence[Curve], identity: str, title: str) -> Markup:
    """The plot as an ``<svg>`` element, whose description holds every figure.

    ``identity`` and ``title`` are as for ``reports.inline_svg.inline``.
    """
    return inline(curve_figure(found), identity, title, "; ".join(map(_in_words, found)) + ".")


def curve_figure(found: Sequence[Curve]) -> Figure:
    """Recall@10 across, queries a second upward (logarithmic), a dashed line at TARGET.

    At least one curve.
    """
    figure = blank(HEIGHT_INCHES)
    axes = axes_with_names(
        figure,
        [curve.label for curve in found],
        "recall@10 of exact search",
        "queries a second, search alone",
    )
    _scale(axes, [setting for curve in found for setting in curve.settings])
    axes.axvline(TARGET, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for number, curve in enumerate(found):
        axes.plot(
            [setting.recall for setting in curve.settings],
            [setting.rate for setting in curve.settings],
            color=SECOND,
            linewidth=1.4,
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            markerfacecolor=PAPER if number % 2 else SECOND,
            markeredgewidth=1.4,
            clip_on=False,
        )
    ends = [(curve.label, curve.settings[-1]) for curve in found]
    name_ends(axes, [End(name, last.recall, last.rate) for name, last in ends])
    return figure


def _settings(cell: SpeedCell) -> tuple[Setting, ...]:
    found = []
    for key, recall in cell.facts.items():
        if not (key.startswith(PREFIX) and key.endswith(RECALL)):
            continue
        name = key.removeprefix(PREFIX).removesuffix(RECALL)
        rate = cell.facts.get(f"{PREFIX}{name}{RATE}")
        if _is_share(recall) and _is_rate(rate):
            found.append(Setting(name, float(recall), float(rate)))
    return tuple(sorted(found, key=lambda setting: (setting.recall, -setting.rate)))


def _is_share(value: Scalar | None) -> TypeGuard[float]:
    return _is_number(value) and 0 <= value <= 1


def _is_rate(value: Scalar | None) -> TypeGuard[float]:
    return _is_number(value) and 0 < value < math.inf


def _is_number(value: Scalar | None) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(axes: Axes, settings: Sequence[Setting]) -> None:
    lowest = min(min(setting.recall for setting in settings), TARGET - 0.05)
    floor = math.floor(20 * lowest) / 20
    rates = log_limits([setting.rate for setting in settings], 1.6)
    axes.set_xlim(floor - 0.02 * (1 - floor), 1 + 0.02 * (1 - floor))
    axes.set_yscale("log")
    axes.set_ylim(*rates)
    step = 0.05 if floor >= 0.75 else 0.1 if floor >= 0.5 else 0.25
    ticks = [1 - step * place for place in range(int((1 - floor) / step + 1.001))]
    axes.set_xticks(ticks)
    axes.set_xticklabels([f"{tick:.2f}".rstrip("0").rstrip(".") for tick in ticks])
    label_rates(axes)


def _in_words(curve: Curve) -> str:
    figures = ", ".join(
        f"{setting.name} recall {setting.recall:.3f}, {units.figure(setting.rate)} queries a second"
        for setting in curve.settings
    )
    return f"{curve.label} of {units.count(curve.candidates)} candidates: {figures}"
