"""Throughput results for the tests of the report, written through the real store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.speed.cells import ProcessRun, SpeedCell
from bench.speed.store import LeftOutRow, SpeedStore
from tests.bench.speed_results import failed_cell, process_run, speed_cell

SIZES = (1_000, 100_000)
PHASES: Mapping[str, Mapping[str, float]] = {
    "generative": {"tokenise": 0.1, "encode": 1.2, "decode": 1.5, "front end": 0.2},
    "dual tower": {"tokenise": 0.1, "encode": 1.9, "search": 0.8, "front end": 0.2},
}
CURVE = {
    "curve/nprobe 4/recall@10": 0.81,
    "curve/nprobe 4/queries/s": 5200.0,
    "curve/nprobe 16/recall@10": 0.96,
    "curve/nprobe 16/queries/s": 2300.0,
    "recall@10": 0.957,
}


def served(
    rates: Sequence[int], paradigm: str = "generative", **changes: Any
) -> tuple[ProcessRun, ProcessRun]:
    """Two processes that answer these many queries in their windows of a second."""
    run = process_run(rates, seconds=PHASES[paradigm], **changes)
    return run, replace(run, windows=run.windows[::-1])


def store_row(
    results: Path,
    row: str,
    rates: Sequence[int] = (100, 102, 98),
    paradigm: str = "generative",
    told: Mapping[str, Any] | None = None,
    runs: Sequence[ProcessRun] = (),
    **spec: Any,
) -> SpeedCell:
    """Write a finished result with its runs; ``told`` are fields of the cell, the rest of its
    spec."""
    store = SpeedStore(results)
    measured = runs or served(rates, paradigm)
    fields = {"paradigm": paradigm, "created": "2026-11-21T18:10:00+00:00", **(told or {})}
    cell = replace(speed_cell(measured, row=row, **spec), **fields)
    for number, run in enumerate(measured):
        store.write_run(cell.spec, number, run)
    store.write(cell)
    return cell


def store_failed_row(results: Path, row: str, reason: str, **spec: Any) -> SpeedCell:
    cell = replace(failed_cell(row=row, **spec), reason=reason)
    SpeedStore(results).write(cell)
    return cell


def store_sweep(results: Path) -> None:
    """Four rows, one of them measured twice, with two indexes, a failure and a row left out."""
    for size in SIZES:
        store_row(results, "cart", candidates=size)
        store_row(results, "clip:paper", (10, 10, 9), "dual tower", candidates=size)
        index = served((50, 51, 49), "dual tower", facts=CURVE)
        store_row(results, "clip:best", paradigm="dual tower", runs=index, candidates=size)
    small = served((60, 60, 60), "dual tower", facts=CURVE)
    store_row(results, "clip:hnsw", paradigm="dual tower", runs=small, candidates=SIZES[0])
    store_row(results, "cart (again)", (101, 99, 100), candidates=SIZES[-1])
    store_failed_row(results, "blip2:scan", "It was killed for memory.", candidates=SIZES[-1])
    SpeedStore(results).write_left_out(
        [
            LeftOutRow("imagebind:paper", "cpu", "auto", size, "It needs 31 GB; 18 GB are free.")
            for size in SIZES
        ]
    )
