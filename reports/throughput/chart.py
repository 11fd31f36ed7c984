"""Queries a second against candidates, to be pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports import units
from reports.charts import COLOURS, INK, OTHER_SYMBOL, PAPER, SYMBOLS, figure, whiskers, written
from reports.throughput.scaling import Trace

HEIGHT = 460


def scaling_chart(traces: Sequence[Trace]) -> dict[str, Any]:
    """What ``reports.charts.figure`` gives: a line a row, hollow marks where extrapolated."""
    across = {"type": "log", "title": {"text": "candidates"}}
    upward = {"type": "log", "title": {"text": "queries a second"}}
    return figure([_line(trace) for trace in traces], across, upward, HEIGHT)


def _line(trace: Trace) -> dict[str, Any]:
    colour = COLOURS.get(trace.paradigm, INK)
    points = trace.points
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": written(trace.label),
        "x": [point.candidates for point in points],
        "y": [point.rate.value for point in points],
        "hovertext": [
            f"{written(trace.label)}<br>{units.count(point.candidates)} candidates:<br>"
            f"{units.figure(point.rate.value)} queries a second<br>"
            f"({units.figure(point.rate.low, point.rate.value)} to "
            f"{units.figure(point.rate.high, point.rate.value)})"
            f"{', extrapolated' if point.extrapolated else ''}"
            for point in points
        ],
        "hoverinfo": "text",
        "line": {"color": colour, "width": 3 if trace.bold else 1.5},
        "marker": {
            "symbol": SYMBOLS.get(trace.paradigm, OTHER_SYMBOL),
            "size": 9,
            "color": [PAPER if point.extrapolated else colour for point in points],
            "line": {"color": colour, "width": 1.5},
        },
        "error_y": whiskers([point.rate for point in points], colour),
    }
