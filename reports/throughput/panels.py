"""The plots of the throughput section, each made of the lines that have something to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import units
from reports.charts import data_of
from reports.throughput.chart import scaling_chart
from reports.throughput.indexes import curve_plot
from reports.throughput.phases import SHADES, Spent, phases_plot
from reports.throughput.scaling import Point, Trace, scaling_plot
from reports.throughput.sweeps import Device, Line, Sweep


@dataclass(frozen=True)
class Plots:
    """Of one sweep; None where no line has what a plot shows.

    chart      the same as ``scaling``, as data for the page's script
    paradigms  those that the marks of ``scaling`` stand for, in the order of the lines
    phases_of  the phases that ``phases`` shows, in the order of its bars
    """

    scaling: Markup | None
    chart: Markup | None
    phases: Markup | None
    paradigms: tuple[str, ...]
    phases_of: tuple[str, ...]


def plots(sweep: Sweep) -> Plots:
    """The plots of one sweep; no scaling where the load set the rates."""
    traces, rows = traces_of(sweep), spent_of(sweep)
    on = f"{sweep.scenario} on {units.visible(sweep.device)}"
    return Plots(
        scaling=scaling_plot(traces, f"{sweep.anchor}-scaling", f"Queries a second, {on}")
        if traces
        else None,
        chart=data_of(scaling_chart(traces)) if traces else None,
        phases=phases_plot(rows, f"{sweep.anchor}-phases", f"Where the time goes, {on}")
        if rows
        else None,
        paradigms=tuple(dict.fromkeys(trace.paradigm for trace in traces)),
        phases_of=tuple(_ordered({name: 1.0 for row in rows for name in row.phases_ms})),
    )


def traces_of(sweep: Sweep) -> list[Trace]:
    """The lines of the scaling plot; none where the load set the rates."""
    if sweep.paced:
        return []
    lines = (line for line in sweep.lines if not line.again)
    return [trace for line in lines if (trace := _trace(line, sweep.base)).points]


def spent_of(sweep: Sweep) -> list[Spent]:
    """The bars of the plot of phases."""
    lines = (line for line in sweep.lines if not line.again)
    return [row for line in lines if (row := _spent(line, sweep.largest)) is not None]


def index_plot(device: Device) -> Markup | None:
    """Recall@10 of the device's indexes against their queries a second."""
    if not device.indexes:
        return None
    title = f"Recall and speed of the indexes on {units.visible(device.label)}"
    return curve_plot(device.indexes, f"{device.anchor}-indexes", title)


def _trace(line: Line, base: str) -> Trace:
    points = tuple(
        Point(size, measure, cell.extrapolated)
        for size, cell in line.cells.items()
        if (measure := line.rate(size))
    )
    return Trace(units.visible(line.label), line.last.paradigm, line.last.spec.row == base, points)


def _spent(line: Line, size: int) -> Spent | None:
    if not line.rate(size):
        return None
    cell = line.cells[size]
    phases = {
        units.visible(name): spent
        for name, spent in _ordered(cell.phases_ms).items()
        if 0 < spent < math.inf
    }
    return Spent(units.visible(line.label), phases, cell.extrapolated) if phases else None


def _ordered(phases: Mapping[str, float]) -> dict[str, float]:
    """In the order in which a query meets them; those that are not known in between."""
    known: Sequence[str] = tuple(SHADES)
    last = known.index("front end") - 0.5

    def place(name: str) -> float:
        return known.index(name) if name in known else last

    return {name: phases[name] for name in sorted(phases, key=place)}
