"""Figure 5: the gallery's items on a plane, those of the commonest prefixes in colour."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bench.item_map import FloatArray, IntArray
from reports.ablations.palette import Palette

WIDTH_INCHES, HEIGHT_INCHES = 7.2, 3.8
SHOWN = 8
# Told apart in grey and by who sees no red or green: Okabe and Ito's colours, and a shape each.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00"),
    *("#56b4e9", "#cc79a7", "#b59b00", "#7f7f7f"),
)
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")


class Placed(Protocol):
    """Items on a plane: their prefixes [items, length] and where they lie [items, 2]."""

    @property
    def prefixes(self) -> IntArray: ...

    @property
    def plane(self) -> FloatArray: ...


def draw_map(points: Placed, depths: tuple[int, ...], palette: Palette) -> Figure:
    """A panel a depth of prefix; items of other prefixes are small and grey."""
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), facecolor=palette.paper)
    FigureCanvasSVG(figure)
    for place, depth in enumerate(depths):
        width = 1 / len(depths)
        axes = figure.add_axes((place * width + 0.01, 0.2, width - 0.02, 0.7))
        _panel(axes, points, depth, palette)
    return figure


def commonest(points: Placed, depth: int, most: int = SHOWN) -> list[tuple[int, ...]]:
    """The prefixes of ``depth`` codes that at least two items share, those of most items first."""
    found, counts = np.unique(points.prefixes[:, :depth], axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [tuple(map(int, found[row])) for row in order if counts[row] > 1]


def _panel(axes: Axes, points: Placed, depth: int, palette: Palette) -> None:
    axes.axis("off")
    title = "items by their first code" if depth == 1 else f"items by their first {depth} codes"
    axes.set_title(title, loc="left", fontsize=9.5, color=palette.muted)
    across, up = points.plane.T
    axes.scatter(across, up, s=5, color=palette.rule, linewidths=0, rasterized=False)
    for place, prefix in enumerate(commonest(points, depth)):
        own = (points.prefixes[:, :depth] == np.array(prefix)).all(axis=1)
        axes.scatter(
            across[own],
            up[own],
            s=16,
            color=COLOURS[place],
            marker=SHAPES[place],
            linewidths=0,
            label=",".join(map(str, prefix)),
        )
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0.02),
            ncols=4,
            fontsize=8,
            frameon=False,
            labelcolor=palette.ink,
            handletextpad=0.1,
            columnspacing=1.0,
        )
