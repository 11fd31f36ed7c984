"""The tables of the throughput sweep: rates by size, what a row takes, indexes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.files import file_stem
from bench.speed.cells import SpeedCell
from reports import units
from reports.exports.origin import origin
from reports.exports.table import (
    Column,
    Entry,
    Table,
    hidden,
    in_percent,
    listed,
    number,
    plain,
    with_interval,
    words,
)
from reports.throughput.provenance import numbers
from reports.throughput.sweeps import Device, Line, Sweep

DRAWN = "Over drawn candidates, with random weights: nothing here says how well a row finds."
PERCENTILES = ("p50", "p95", "p99")


def rates(sweep: Sweep) -> Table:
    """Queries a second by number of candidates, and how many times as fast the base is."""
    columns = (
        Column("Row"),
        *(with_interval(f"queries/s of {size}", units.count(size)) for size in sweep.sizes),
        *([with_interval("times", f"{sweep.base} is")] if sweep.base else []),
        *hidden("paradigm", "weights", "device", "scenario", "extrapolated at", "not steady at"),
        *hidden("not told apart", "cells"),
    )
    rows = tuple(
        (
            words(line.label),
            *(_rate(line, size) for size in sweep.sizes),
            *([_times(line)] if sweep.base else []),
            words(line.last.paradigm),
            words(line.last.weights),
            words(sweep.device),
            words(sweep.scenario),
            listed(size for size, cell in line.cells.items() if cell.extrapolated),
            listed(size for size in line.cells if line.rate(size) and not line.cells[size].steady),
            words("yes" if line.slower and not line.slower.told_apart else ""),
            listed(cell.spec.key for cell in line.cells.values()),
        )
        for line in sweep.lines
    )
    repeats = (
        f"{each.row} measured twice came to {units.figure(each.times.value)} times itself: no "
        f"difference below {units.percent(each.claimable)} % is claimed."
        for each in sweep.repeats
    )
    failures = (
        f"{line.label} of {units.count(cell.spec.candidates)} failed: {cell.reason}"
        for line, cell in sweep.failures
    )
    title = f"Queries a second by number of candidates, {sweep.scenario} on {sweep.device}"
    notes = ("With 95 % intervals.", DRAWN, *repeats, *failures)
    return _table(sweep, "rates", title, columns, rows, sweep.cells, notes)


def largest(sweep: Sweep) -> Table:
    """Latency, building and memory at the largest size."""
    columns = (
        Column("Row"),
        *([Column("Offered a second", ("offered queries/s",))] if sweep.paced else []),
        *(Column(bound, (bound,)) for bound in sweep.bounds),
        *(Column(name, (f"{name} ms",)) for name in PERCENTILES),
        Column("Building", ("building seconds",)),
        Column("A candidate", ("bytes a candidate",)),
        Column("Model", ("model bytes",)),
        Column("Peak memory", ("peak bytes",)),
        *([Column("On the accelerator", ("accelerator peak bytes",))] if sweep.accelerated else []),
        Column("Agreement", ("agreement",)),
        Column("Numbers"),
        Column("Threads", ("threads",)),
        *hidden("cells"),
    )
    rows = tuple(
        (
            words(line.label),
            *([number(cell.offered_qps, units.figure(cell.offered_qps))] if sweep.paced else []),
            *(_fact(cell, bound) for bound in sweep.bounds),
            *(_latency(cell, name) for name in PERCENTILES),
            _built(cell),
            _bytes(_each(cell)),
            _bytes(cell.memory.get("model_bytes")),
            _bytes(cell.memory.get("peak_bytes")),
            *([_bytes(cell.memory.get("accelerator_peak_bytes"))] if sweep.accelerated else []),
            _agreement(cell),
            words(numbers(cell)),
            number(cell.spec.threads, str(cell.spec.threads)),
            words(cell.spec.key),
        )
        for line, cell in sweep.at_largest
    )
    title = (
        f"Latency and memory of {units.count(sweep.largest)} candidates, {sweep.scenario} on "
        f"{sweep.device}"
    )
    cells = [cell for _, cell in sweep.at_largest]
    notes = ("Latencies are pooled over processes; agreement is in per cent.", DRAWN)
    return _table(sweep, "latency-memory", title, columns, rows, cells, notes)


def phases(sweep: Sweep) -> Table:
    """Milliseconds a query by phase at the largest size."""
    found = [(line, cell) for line, cell in sweep.at_largest if cell.phases_ms]
    names = list(dict.fromkeys(name for _, cell in found for name in cell.phases_ms))
    columns = (
        Column("Row"),
        *(Column(name, (f"{name} ms",)) for name in names),
        *hidden("cells"),
    )
    rows = tuple(
        (
            words(line.label),
            *(_milliseconds(cell.phases_ms.get(name)) for name in names),
            words(cell.spec.key),
        )
        for line, cell in found
    )
    title = (
        f"Time of a query by phase of {units.count(sweep.largest)} candidates, {sweep.scenario} "
        f"on {sweep.device}"
    )
    return _table(sweep, "phases", title, columns, rows, [cell for _, cell in found], (DRAWN,))


def indexes(device: Device) -> Table:
    """Every setting of the approximate indexes: what it finds of exact search, and its rate.

    Of a device that has one at least.
    """
    columns = (
        Column("Row"),
        Column("Setting"),
        Column("Recall@10", ("recall@10",)),
        Column("Queries a second", ("queries/s",)),
    )
    rows = tuple(
        (
            words(curve.label),
            words(setting.name),
            number(setting.recall, f"{setting.recall:.3f}"),
            number(setting.rate, units.figure(setting.rate)),
        )
        for curve in device.indexes
        for setting in curve.settings
    )
    size = units.count(device.indexes[0].candidates)
    cells = [cell for sweep in device.sweeps for cell in sweep.cells]
    return Table(
        file_stem(f"indexes-{device.label}"),
        f"Recall and speed of the indexes over {size} candidates on {device.label}",
        columns,
        rows,
        ("Recall@10 is the share of exact search's first ten that an index finds.", DRAWN),
        origin(cells),
        tuple(cell.spec.key for cell in cells),
    )


def _table(
    sweep: Sweep,
    kind: str,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[tuple[Entry, ...]],
    cells: Sequence[SpeedCell],
    notes: Sequence[str],
) -> Table:
    return Table(
        file_stem(f"{kind}-{sweep.scenario}-{sweep.device}"),
        title,
        tuple(columns),
        tuple(rows),
        (*notes, *sweep.warnings),
        origin(cells),
        tuple(cell.spec.key for cell in cells),
    )


def _rate(line: Line, size: int) -> Entry:
    cell, rate = line.cells.get(size), line.rate(size)
    if cell is None:
        return plain(None)
    if rate is None:
        return plain(None, "failed")
    extrapolated = ", extrapolated" if cell.extrapolated else ""
    return plain(rate, extrapolated if cell.steady else f"{extrapolated}, not steady")


def _times(line: Line) -> Entry:
    if line.slower is None:
        return plain(None)
    apart = "" if line.slower.told_apart else ", not told apart"
    return plain(line.slower.times, apart)


def _fact(cell: SpeedCell, name: str) -> Entry:
    value = cell.facts.get(name)
    return number(value, units.figure(value)) if isinstance(value, float) else number(None, "")


def _latency(cell: SpeedCell, name: str) -> Entry:
    return _milliseconds(cell.latency_ms.get(name))


def _milliseconds(value: float | None) -> Entry:
    return number(value, "" if value is None else units.milliseconds(value))


def _built(cell: SpeedCell) -> Entry:
    spent = sum(cell.build.values()) if cell.build else None
    return number(spent, units.seconds(spent))


def _each(cell: SpeedCell) -> float | None:
    held = cell.memory.get("gallery_bytes")
    return None if held is None else held / cell.spec.candidates


def _bytes(value: float | None) -> Entry:
    return number(value, units.size(value))


def _agreement(cell: SpeedCell) -> Entry:
    if not cell.checked:
        return number(None, "")
    told = f"{units.percent(cell.agreement)} % of {units.count(cell.checked)}"
    return number(in_percent(cell.agreement), told)
