"""What several fresh processes measured, made into one result, and two results into a ratio.

Intervals are by a hierarchical bootstrap with the percentile interval: processes are drawn with
replacement and then the windows of each, since windows of one process are alike (Kalibera and
Jones, "Rigorous benchmarking in reasonable time", 2013, section 6).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

# numpy loads it when it is first used, and a Ctrl-C that comes meanwhile can be lost.
from numpy.random import default_rng

from bench.cells import Measure
from bench.speed.cells import ProcessRun, Window
from bench.statistics import CONFIDENCE, RESAMPLES

FloatArray = npt.NDArray[np.float64]

# With fewer completions the 99th percentile is a matter of a handful of them.
COMPLETIONS_FOR_P99 = 1_000

# Draws of a bootstrap from one process, at most.
STRETCHES = 50

# How ``retrievers.serving.contract.Built`` marks a phase that the cache answered.
KEPT = " (kept)"


def stretched(run: ProcessRun) -> ProcessRun:
    """The run as if all of the work had been done: every time divided by ``part``.

    A system all of whose times, those between arrivals included, are longer by one factor does
    the same things in the same order, so that throughput, latencies and phases scale alike.
    """
    if run.part >= 1:
        return run
    return replace(
        run,
        windows=tuple(
            Window(each.begin / run.part, each.end / run.part, each.completed)
            for each in run.windows
        ),
        latencies_ms=tuple(each / run.part for each in run.latencies_ms),
        seconds={phase: seconds / run.part for phase, seconds in run.seconds.items()},
        offered_qps=run.offered_qps * run.part,
        part=1.0,
    )


def pooled(runs: Sequence[ProcessRun]) -> dict[str, Any]:
    """The measured fields of a ``SpeedCell``, by name. Raises ValueError without a run."""
    if not runs:
        raise ValueError("no run, so there is nothing to pool")
    whole = [stretched(run) for run in runs]
    return {
        "throughput": throughput(runs),
        "windows": sum(len(run.windows) for run in runs),
        "completed": sum(run.completed for run in runs),
        "latency_ms": latency_percentiles(whole),
        "steady": all(run.steady for run in runs),
        "phases_ms": phases(whole),
        "build": build_seconds(runs),
        "facts": dict(runs[0].facts),
        "memory": _largest([run.memory for run in runs]),
        "extrapolated": any(run.part < 1 for run in runs),
        "checked": sum(run.checked for run in runs),
        "agreement": min(run.agreement for run in runs),
        "generator_qps": min(run.generator_qps for run in runs),
        "offered_qps": float(np.mean([run.offered_qps for run in whole])),
        "batches": dict(sum((Counter(run.batches) for run in runs), Counter())),
    }


def throughput(runs: Sequence[ProcessRun]) -> Measure:
    """Queries a second over all windows, with its interval. Raises ValueError without windows."""
    whole = [stretched(run) for run in runs]
    windows = [window for run in whole for window in run.windows]
    if not windows:
        raise ValueError("no window, so there is no throughput")
    value = _rate(windows)
    if len(windows) == 1:
        return Measure(value, value, value)
    return _interval(value, _resampled(whole, seed=0))


def ratio(runs: Sequence[ProcessRun], others: Sequence[ProcessRun]) -> Measure:
    """How many times the throughput of ``others`` that of ``runs`` is, with its interval.

    Raises ValueError where either has no window.
    """
    value = throughput(runs).value / throughput(others).value
    whole, other = ([stretched(run) for run in each] for each in (runs, others))
    # Two streams: with one, equal runs would be drawn alike, and their ratio be 1 each time.
    return _interval(value, _resampled(whole, seed=1) / _resampled(other, seed=2))


def claimable(again: Measure) -> float:
    """The smallest relative difference that may be claimed, from the ratio of a row to itself.

    The furthest that its interval goes from 1, in either direction: 0.05 stands for 5 %.
    """
    return math.exp(max(abs(math.log(bound)) for bound in (again.low, again.high))) - 1


def latency_percentiles(runs: Sequence[ProcessRun]) -> dict[str, float]:
    """ "p50", "p95" and, from 1,000 completions on, "p99" of all processes' latencies together.

    A process that kept a sample of its latencies weighs as much as it completed.
    """
    kept = [run for run in runs if run.latencies_ms]
    if not kept:
        return {}
    latencies = np.concatenate([np.asarray(run.latencies_ms) for run in kept])
    weights = np.concatenate(
        [np.full(len(run.latencies_ms), _completed(run) / len(run.latencies_ms)) for run in kept]
    )
    percentiles = {"p50": 0.50, "p95": 0.95}
    if sum(run.completed for run in kept) >= COMPLETIONS_FOR_P99:
        percentiles["p99"] = 0.99
    return {
        name: float(np.quantile(latencies, share, weights=weights, method="inverted_cdf"))
        for name, share in percentiles.items()
    }


def phases(runs: Sequence[ProcessRun]) -> dict[str, float]:
    """phase -> milliseconds a query, over all processes."""
    completed = sum(run.completed for run in runs)
    if not completed:
        return {}
    totals: Counter[str] = Counter()
    for run in runs:
        totals.update(run.seconds)
    return {phase: 1000 * seconds / completed for phase, seconds in totals.items()}


def build_seconds(runs: Sequence[ProcessRun]) -> dict[str, float]:
    """phase -> mean seconds of the processes that had it.

    What some process built from nothing is not told again as kept by the others.
    """
    names = dict.fromkeys(phase for run in runs for phase in run.build)
    told = [
        name for name in names if not name.endswith(KEPT) or name.removesuffix(KEPT) not in names
    ]
    return {
        name: float(np.mean([run.build[name] for run in runs if name in run.build]))
        for name in told
    }


def _completed(run: ProcessRun) -> int:
    return max(run.completed, len(run.latencies_ms))


def _rate(windows: Sequence[Window]) -> float:
    seconds = sum(window.end - window.begin for window in windows)
    return sum(window.completed for window in windows) / seconds


def _resampled(runs: Sequence[ProcessRun], seed: int) -> FloatArray:
    """[RESAMPLES] queries a second of runs and windows that were drawn again."""
    rng = default_rng(seed)
    runs = [run for run in runs if run.windows]
    completed, seconds = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    stretches = [_stretches(run.windows) for run in runs]
    for _ in runs:
        chosen = rng.integers(0, len(runs), RESAMPLES)
        for number, (count, span) in enumerate(stretches):
            rows = np.flatnonzero(chosen == number)
            drawn = rng.integers(0, len(count), (rows.size, len(count)))
            completed[rows] += count[drawn].sum(1)
            seconds[rows] += span[drawn].sum(1)
    return completed / seconds


def _stretches(windows: Sequence[Window]) -> tuple[FloatArray, FloatArray]:
    """Completions and seconds [stretches] of the windows, neighbours together where many.

    Rounds of milliseconds that follow each other are alike, and not each of them a draw.
    """
    figures = np.array([(each.completed, each.end - each.begin) for each in windows], float)
    firsts = np.unique(np.linspace(0, len(figures), min(len(figures), STRETCHES) + 1, dtype=int))
    completed, seconds = np.add.reduceat(figures, firsts[:-1]).T
    return completed, seconds


def _interval(value: float, drawn: FloatArray) -> Measure:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Measure(value, float(low), float(high))


def _largest(each: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for one in each for name in one)
    return {name: max(one.get(name, 0) for one in each) for name in names}
