"""What the section's plots share: an empty figure, plain axes and the sizes of text."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.ablations.palette import Palette

LABEL, SMALL = 9.5, 8.5


def blank(width: float, height: float, palette: Palette) -> Figure:
    """An empty figure, its sides in inches."""
    figure = Figure(figsize=(width, height), facecolor=palette.paper)
    FigureCanvasSVG(figure)
    return figure


def plain_axes(axes: Axes, palette: Palette) -> None:
    """Axes with a base line and without a frame."""
    axes.patch.set_visible(False)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=palette.muted)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(palette.rule)
