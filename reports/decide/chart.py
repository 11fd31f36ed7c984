"""The picture of accuracy against speed, to be pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports import units
from reports.charts import COLOURS, INK, OTHER_SYMBOL, PAPER, SYMBOLS, figure, whiskers, written
from reports.decide.drawing import in_words
from reports.decide.pictures import METRIC, Option, Picture

HEIGHT = 380
PLACES = {"front": "on the front", "near": "not surely behind the front", "behind": "behind"}


def front_chart(picture: Picture) -> dict[str, Any]:
    """What ``reports.charts.figure`` gives: a trace a paradigm, and the front."""
    kinds = list(dict.fromkeys(each.line.row.retriever.paradigm for each in picture.options))
    traces = [
        _marks(kind, [each for each in picture.options if _kind(each) == kind]) for kind in kinds
    ]
    across = {"type": "log", "title": {"text": "queries a second, in calls of 100"}}
    upward = {"title": {"text": f"{METRIC}, per cent"}}
    return figure([_front(picture.front), *traces], across, upward, HEIGHT)


def _kind(option: Option) -> str:
    return option.line.row.retriever.paradigm


def _marks(kind: str, options: Sequence[Option]) -> dict[str, Any]:
    colour = COLOURS.get(kind, INK)
    filled = [colour if option.standing == "front" else PAPER for option in options]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": kind,
        "x": [option.rate.value for option in options],
        "y": [100 * option.recall.value for option in options],
        "text": [written(units.visible(option.line.label)) for option in options],
        "textposition": "top center",
        "hovertext": [written(in_words(option)).replace(", ", ",<br>") for option in options],
        "hoverinfo": "text",
        "marker": {
            "symbol": SYMBOLS.get(kind, OTHER_SYMBOL),
            "size": 11,
            "color": filled,
            "line": {"color": colour, "width": 2},
        },
        "error_x": whiskers([option.rate for option in options], colour),
        "error_y": whiskers([option.recall for option in options], colour, 100),
    }


def _front(options: Sequence[Option]) -> dict[str, Any]:
    ordered = sorted(options, key=lambda option: option.rate.value)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front",
        "x": [option.rate.value for option in ordered],
        "y": [100 * option.recall.value for option in ordered],
        "line": {"color": INK, "dash": "dash", "width": 1},
        "hoverinfo": "skip",
    }
