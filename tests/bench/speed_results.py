"""Runs and results of the sweep made by hand for the tests of what pools, keeps and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.speed.cells import ProcessRun, SpeedCell, SpeedSpec, Window
from bench.speed.pooling import pooled

SPEC = SpeedSpec(
    row="cart",
    options={"target": "module:Cart", "form": "width 512"},
    scenario="closed-100",
    load={"outstanding": 100, "wait_ms": 2.0},
    candidates=1000,
    dim=512,
    k=10,
    device="cpu",
    numbers="auto",
    threads=2,
    repeats=2,
    seconds=6.0,
    seed=0,
    host="h1",
    code="c1",
)


def windows(counts: Sequence[int], seconds: float = 1.0) -> tuple[Window, ...]:
    """Consecutive windows of one length."""
    return tuple(
        Window(place * seconds, (place + 1) * seconds, count) for place, count in enumerate(counts)
    )


def process_run(counts: Sequence[int] = (100, 100, 100), **changes: Any) -> ProcessRun:
    """One process with these completions in windows of a second."""
    run = ProcessRun(
        windows=windows(counts),
        steady=True,
        latencies_ms=(10.0, 20.0, 30.0, 40.0),
        completed=sum(counts),
        warm_up=50,
        batches={"100": 3},
        seconds={"encode": 1.5, "search": 0.75},
        part=1.0,
        build={"encode": 4.0},
        facts={"lists": 10, "recall@10": 0.96},
        memory={"gallery_bytes": 8000, "model_bytes": 100, "peak_bytes": 9000},
        checked=16,
        agreement=1.0,
        generator_qps=50_000.0,
    )
    return replace(run, **changes)


def speed_cell(runs: Sequence[ProcessRun] = (), **changes: Any) -> SpeedCell:
    """A finished result of these processes; ``changes`` are of its spec."""
    return SpeedCell(
        spec=replace(SPEC, **changes),
        status="done",
        created="2026-01-01",
        command="python -m bench.throughput",
        paradigm="generative",
        form="width 512",
        weights="random",
        machine={"processor": "one"},
        versions={"numpy": "2"},
        revision="abc",
        notes=("a note",),
        **pooled(runs or [process_run(), process_run()]),
    )


def failed_cell(**changes: Any) -> SpeedCell:
    return SpeedCell(
        spec=replace(SPEC, **changes),
        status="failed",
        created="2026-01-01",
        command="",
        reason="It broke.",
    )
