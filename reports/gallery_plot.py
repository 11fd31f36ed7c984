"""Recall against the size of the gallery, a line a retriever, with what bounds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.cells import Measure
from reports import units
from reports.inline_svg import MUTED, blank, inline
from reports.throughput.axes import End, axes_with_names, log_limits, log_ticks, name_ends, short
from reports.throughput.scaling import MARKS, OTHER_MARK

HEIGHT_INCHES = 3.4
CHANCE, CEILING, COLLISIONS = "chance", "no mistakes", "identifiers"
DOTTED, DASHED = (0, (1, 2)), (0, (4, 2))


@dataclass(frozen=True)
class Place:
    """One retriever's recall in a gallery of one size.

    collisions  the share that its identifiers can reach, None where it is not told
    """

    size: int
    recall: Measure
    collisions: float | None = None


@dataclass(frozen=True)
class Curve:
    """One retriever's recall, the smallest gallery first; at least one place."""

    label: str
    paradigm: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Picture:
    """What one plot shows.

    sizes     of all galleries, rising
    right     K of the recall: chance is K in the size
    ceilings  size -> recall of a reader without mistakes, empty where it is not known
    """

    curves: tuple[Curve, ...]
    sizes: tuple[int, ...]
    right: int
    ceilings: Mapping[int, float]

    @property
    def bounds(self) -> dict[str, Mapping[int, float]]:
        """Name -> size -> recall of what no retriever is."""
        chance = {size: min(1.0, self.right / size) for size in self.sizes}
        return {CHANCE: chance, **({CEILING: self.ceilings} if self.ceilings else {})}


def gallery_plot(shown: Picture, identity: str, title: str) -> Markup:
    """The plot as an ``<svg>`` element, whose description holds every figure.

    ``identity`` and ``title`` are as for ``reports.inline_svg.inline``.
    """
    bounds = (_bound_in_words(*one) for one in shown.bounds.items())
    told = [*map(_in_words, shown.curves), *bounds]
    return inline(gallery_figure(shown), identity, title, "; ".join(told) + ".")


def gallery_figure(shown: Picture) -> Figure:
    """The size logarithmic, recall in per cent with whiskers.

    A dotted line is chance, a dashed grey one the reader without mistakes, and a dashed one in a
    retriever's colour what its identifiers can reach.
    """
    names = [*(curve.label for curve in shown.curves), *shown.bounds, COLLISIONS]
    figure = blank(HEIGHT_INCHES)
    upward = f"recall@{shown.right}, per cent"
    axes = axes_with_names(figure, names, "items in the gallery", upward)
    _scale(axes, shown.sizes)
    ends = [_draw_bound(axes, name, points) for name, points in shown.bounds.items()]
    for curve in shown.curves:
        ends += _draw(axes, curve)
    name_ends(axes, ends)
    return figure


def _scale(axes: Axes, sizes: Sequence[int]) -> None:
    across = log_limits(sizes, 1.15)
    axes.set_xscale("log")
    axes.set_xlim(*across)
    axes.set_ylim(-2, 102)
    ticks = sizes if len(sizes) <= 5 else log_ticks(*across)
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.set_yticks(range(0, 101, 20))
    axes.minorticks_off()


def _draw_bound(axes: Axes, name: str, points: Mapping[int, float]) -> End:
    heights = [100 * value for value in points.values()]
    style = DOTTED if name == CHANCE else DASHED
    marker = "" if len(heights) > 1 else "_"
    axes.plot([*points], heights, color=MUTED, linewidth=1.2, linestyle=style, marker=marker)
    return End(name, [*points][-1], heights[-1])


def _draw(axes: Axes, curve: Curve) -> list[End]:
    marker, colour = MARKS.get(curve.paradigm, OTHER_MARK)
    sizes = [place.size for place in curve.places]
    heights = [100 * place.recall.value for place in curve.places]
    for place in curve.places:
        bounds = [100 * place.recall.low, 100 * place.recall.high]
        axes.plot([place.size] * 2, bounds, color=colour, linewidth=3.2, alpha=0.45)
    axes.plot(
        sizes,
        heights,
        color=colour,
        linewidth=1.4,
        marker=marker,
        markersize=5.4 if marker == "o" else 4.6,
        clip_on=False,
    )
    ends = [End(curve.label, sizes[-1], heights[-1])]
    reach = {p.size: 100 * p.collisions for p in curve.places if p.collisions is not None}
    if reach:
        axes.plot([*reach], [*reach.values()], color=colour, linewidth=1.0, linestyle=DASHED)
        ends.append(End(COLLISIONS, *list(reach.items())[-1]))
    return ends


def _in_words(curve: Curve) -> str:
    figures = ", ".join(
        f"{units.percent(place.recall.value)} % ({units.percent(place.recall.low)} to "
        f"{units.percent(place.recall.high)}) of {units.count(place.size)}"
        for place in curve.places
    )
    return f"{curve.label}: {figures}"


def _bound_in_words(name: str, points: Mapping[int, float]) -> str:
    figures = ", ".join(
        f"{100 * value:.2g} % of {units.count(size)}" for size, value in points.items()
    )
    return f"{name}: {figures}"
