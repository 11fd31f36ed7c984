"""A matplotlib figure as inline SVG that takes the page's colours and fonts."""

from __future__ import annotations

import io
import logging
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)

# Stand-ins that are drawn with and then replaced by the page's own colours, light or dark.
INK, MUTED, RULE, PAPER, FIRST, SECOND, THIRD = (
    "#010101",
    "#020202",
    "#030303",
    "#040404",
    "#050505",
    "#060606",
    "#070707",
)
COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    FIRST: "var(--accent)",
    SECOND: "var(--second)",
    THIRD: "var(--good)",
}
# The same for a file of its own, on white.
PRINT = {
    INK: "#1d2024",
    MUTED: "#595f67",
    RULE: "#dcdcd4",
    PAPER: "#ffffff",
    FIRST: "#1a5a9e",
    SECOND: "#9a4a12",
    THIRD: "#17683c",
}

WIDTH_INCHES = 4.9
# What XML 1.0 cannot hold, and matplotlib writes all the same.
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def blank(height: float) -> Figure:
    """An empty figure as wide as a panel, ``height`` inches high."""
    figure = Figure(figsize=(WIDTH_INCHES, height))
    FigureCanvasSVG(figure)
    return figure


def inline(figure: Figure, identity: str, title: str, description: str) -> Markup:
    """The figure as an ``<svg>`` element.

    ``identity`` prefixes every id, so that several plots can stand in one page; ``title`` and
    ``description`` are its text alternative.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": identity}), quiet_fonts():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    written = NO_XML.sub("\N{REPLACEMENT CHARACTER}", buffer.getvalue().decode())
    root = ET.fromstring(written)  # noqa: S314 (written three lines above)
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
def quiet_fonts() -> Iterator[None]:
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
