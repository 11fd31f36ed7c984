"""Recall with its intervals as inline SVG that takes the page's colours and fonts."""

from __future__ import annotations

import io
import logging
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bench.cells import Measure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)

# Stand-ins that are drawn with and then replaced by the page's own colours, light or dark.
INK, MUTED, RULE, PAPER, FIRST, TENTH = (
    "#010101",
    "#020202",
    "#030303",
    "#040404",
    "#050505",
    "#060606",
)
COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    FIRST: "var(--accent)",
    TENTH: "var(--second)",
}

WIDTH_INCHES = 4.9
HEAD_INCHES, LINE_INCHES = 0.62, 0.68
SERIES = (("R@1", 0.07, FIRST, FIRST, "o"), ("R@10", -0.26, TENTH, PAPER, "D"))


@dataclass(frozen=True)
class Bar:
    """One retriever's figures as fractions of 1; a metric without a result is left out."""

    label: str
    measures: dict[str, Measure]


def recall_plot(bars: Sequence[Bar], identity: str, title: str, description: str) -> Markup:
    """An ``<svg>`` element with a row a retriever: R@1 and R@10 in per cent with whiskers.

    ``identity`` prefixes every id, so that several plots can stand in one page; ``title`` and
    ``description`` are its text alternative.
    """
    figure = Figure(figsize=(WIDTH_INCHES, HEAD_INCHES + LINE_INCHES * len(bars)))
    FigureCanvasSVG(figure)
    height = figure.get_size_inches()[1]
    axes = figure.add_axes((0.02, 0.42 / height, 0.93, 1 - 0.5 / height))
    _draw_frame(axes, len(bars))
    for place, bar in enumerate(bars):
        _draw_bar(axes, len(bars) - 1 - place, bar)
    return _inline(figure, identity, title, description)


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


def _inline(figure: Figure, identity: str, title: str, description: str) -> Markup:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": identity}), _quiet_fonts():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 (written two lines above)
    _drop(root, "metadata")
    _drop(root, "style")
    for element in root.iter():
        _adopt(element, identity)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{identity}-title {identity}-description")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        words = ET.Element(f"{{{SVG}}}{tag}")
        words.text = text
        root.insert(place, words)
    root[0].set("id", f"{identity}-title")
    root[1].set("id", f"{identity}-description")
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 (ElementTree escapes)


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Text stays text, so a glyph that matplotlib's own font lacks is the browser's affair."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from font")
            yield
    finally:
        logger.setLevel(level)


def _drop(root: ET.Element, tag: str) -> None:
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag == f"{{{SVG}}}{tag}"]:
            parent.remove(child)


def _adopt(element: ET.Element, identity: str) -> None:
    """Give one element page-wide unique ids, the page's colours and the page's font."""
    if "id" in element.attrib:
        element.set("id", f"{identity}-{element.get('id')}")
    reference = element.get(f"{{{XLINK}}}href")
    if reference:
        element.set(f"{{{XLINK}}}href", f"#{identity}-{reference.removeprefix('#')}")
    clip = element.get("clip-path")
    if clip:
        element.set("clip-path", clip.replace("url(#", f"url(#{identity}-"))
    style = element.get("style")
    if style:
        for stand_in, colour in COLOURS.items():
            style = style.replace(stand_in, colour)
        rules = (_without_family(rule.strip()) for rule in style.split(";"))
        element.set("style", "; ".join(rule for rule in rules if rule))


def _without_family(rule: str) -> str:
    """A style rule that leaves the font's family to the page."""
    name, _, value = rule.partition(":")
    if name == "font-family":
        return ""
    if name == "font":
        return "font-size: " + next(word for word in value.split() if word.endswith("px"))
    return rule
