"""Figures for plotly.js in the page's colours, and as the JSON that the page's script draws."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from bench.cells import Measure

# The script puts the page's colour in place of each, light or dark.
INK, MUTED, RULE, PAPER, RAISED = (
    f"var(--{name})" for name in ("ink", "muted", "rule", "paper", "raised")
)
COLOURS = {
    "generative": "var(--accent)",
    "dual tower": "var(--second)",
    "single tower": "var(--good)",
}
SYMBOLS = {"generative": "circle", "dual tower": "diamond", "single tower": "square"}
OTHER_SYMBOL = "triangle-up"

Trace = Mapping[str, Any]


def figure(
    data: Sequence[Trace], across: Mapping[str, Any], upward: Mapping[str, Any], height: int
) -> dict[str, Any]:
    """Traces and a layout without a ground of its own.

    across, upward  what an axis has beside the page's look: title, type, ...
    """
    axis = {
        "gridcolor": RULE,
        "zeroline": False,
        "linecolor": RULE,
        "tickfont": {"color": MUTED},
        "automargin": True,
    }
    return {
        "data": list(data),
        "layout": {
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": INK, "size": 12},
            "hoverlabel": {"bgcolor": RAISED, "font": {"color": INK}, "align": "left"},
            "legend": {"orientation": "h", "y": -0.2, "font": {"color": INK}},
            "dragmode": False,
            "xaxis": {**axis, **across},
            "yaxis": {**axis, **upward},
        },
    }


def whiskers(measures: Sequence[Measure], colour: str, scale: float = 1.0) -> dict[str, Any]:
    """The intervals of the points of a trace, whose values were multiplied by ``scale``."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [scale * (each.high - each.value) for each in measures],
        "arrayminus": [scale * (each.value - each.low) for each in measures],
        "color": colour,
        "thickness": 1.4,
        "width": 0,
    }


def data_of(figure: Mapping[str, Any]) -> Markup:
    """The figure as JSON that may stand in a script element: no sign in it can end that."""
    text = json.dumps(figure, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 (every sign of HTML is written as an escape)


def written(text: str) -> str:
    """Text as a label of plotly.js, which would read tags and entities in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
