"""Several processes made into one result, against figures worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cells import Measure
from bench.speed.cells import ProcessRun, Window
from bench.speed.pooling import claimable, pooled, ratio, stretched, throughput
from tests.bench.speed_results import process_run, windows

COUNTS = st.lists(st.integers(1, 1000), min_size=1, max_size=6)
RUNS = st.lists(COUNTS, min_size=1, max_size=3).map(
    lambda each: [process_run(counts) for counts in each]
)


def test_throughput_is_all_queries_over_all_seconds() -> None:
    slow = process_run(windows=windows([100], seconds=4.0), completed=100)
    found = throughput([process_run([300, 100]), slow])
    assert found.value == pytest.approx(500 / 6)
    assert found.low <= found.value <= found.high


def test_a_single_window_leaves_nothing_to_draw_from() -> None:
    assert throughput([process_run([120])]) == Measure(120.0, 120.0, 120.0)


def test_without_windows_there_is_no_throughput() -> None:
    with pytest.raises(ValueError, match="no window"):
        throughput([process_run([])])
    with pytest.raises(ValueError, match="no run"):
        pooled([])


def test_processes_are_drawn_before_their_windows() -> None:
    """Two processes without spread inside: the draws give either alone, or both, 1 : 2 : 1."""
    found = throughput([process_run([100] * 4), process_run([200] * 4)])
    assert found == Measure(150.0, 100.0, 200.0)
    as_if_windows_were_independent = throughput([process_run([100] * 4 + [200] * 4)])
    assert as_if_windows_were_independent.low > 100
    assert as_if_windows_were_independent.high < 200


def test_the_interval_of_one_process_is_that_of_drawn_means() -> None:
    counts = np.array([90, 95, 100, 105, 110, 130])
    found = throughput([process_run(counts.tolist())])
    drawn = np.random.default_rng(7).choice(counts, (20_000, 6)).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=1.5)
    assert found.high == pytest.approx(high, abs=1.5)


@given(RUNS)
def test_an_interval_holds_its_value_and_stays_within_the_windows(runs: list[ProcessRun]) -> None:
    found = throughput(runs)
    rates = [window.completed for run in runs for window in run.windows]
    assert min(rates) - 1e-9 <= found.low <= found.high <= max(rates) + 1e-9
    assert min(rates) - 1e-9 <= found.value <= max(rates) + 1e-9


@given(RUNS, st.floats(0.01, 1.0))
def test_a_part_scales_every_time(runs: list[ProcessRun], part: float) -> None:
    whole, partial = pooled(runs), pooled([replace(run, part=part) for run in runs])
    for name in ("value", "low", "high"):
        expected = getattr(whole["throughput"], name) * part
        assert getattr(partial["throughput"], name) == pytest.approx(expected)
    for name in ("latency_ms", "phases_ms"):
        scaled = {key: value * part for key, value in partial[name].items()}
        assert scaled == pytest.approx(whole[name])
    assert partial["extrapolated"] == (part < 1)
    assert partial["completed"] == whole["completed"]


def test_a_half_measured_run_takes_twice_as_long() -> None:
    run = process_run([50], part=0.5, offered_qps=8.0)
    assert stretched(run).windows == (Window(0.0, 2.0, 50),)
    assert stretched(run).latencies_ms == (20.0, 40.0, 60.0, 80.0)
    assert stretched(run).seconds == {"encode": 3.0, "search": 1.5}
    assert stretched(run).offered_qps == 4.0
    assert stretched(process_run([50])) == process_run([50])


def test_latencies_of_all_processes_are_one_pool() -> None:
    """The pool's 95th percentile is neither process's own, nor their mean or maximum."""
    fast = process_run(latencies_ms=tuple(float(ms) for ms in range(1, 101)), completed=100)
    slow = process_run(latencies_ms=tuple(float(ms) for ms in range(101, 201)), completed=100)
    found = pooled([fast, slow])["latency_ms"]
    assert found == {"p50": 100.0, "p95": 190.0}


def test_a_sample_of_latencies_weighs_as_much_as_was_completed() -> None:
    sampled = process_run(latencies_ms=(1.0, 1.0), completed=900)
    all_kept = process_run(latencies_ms=(5.0,) * 100, completed=100)
    assert pooled([sampled, all_kept])["latency_ms"] == {"p50": 1.0, "p95": 5.0, "p99": 5.0}


def test_a_99th_percentile_needs_a_thousand() -> None:
    below = process_run(latencies_ms=tuple(map(float, range(999))), completed=999)
    enough = process_run(latencies_ms=tuple(map(float, range(1000))), completed=1000)
    assert "p99" not in pooled([below])["latency_ms"]
    assert pooled([enough])["latency_ms"]["p99"] == 989.0
    assert pooled([replace(below, latencies_ms=())])["latency_ms"] == {}


def test_phases_are_milliseconds_a_query_over_all_processes() -> None:
    first = process_run([300], seconds={"encode": 3.0})
    second = process_run([100], seconds={"encode": 1.0, "search": 2.0})
    assert pooled([first, second])["phases_ms"] == pytest.approx({"encode": 10.0, "search": 5.0})


def test_what_one_process_built_is_not_told_again_as_kept() -> None:
    first = process_run(build={"train": 50.0, "add": 3.0})
    second = process_run(build={"train (kept)": 0.5, "add": 5.0})
    assert pooled([first, second])["build"] == {"train": 50.0, "add": 4.0}
    assert pooled([second])["build"] == {"train (kept)": 0.5, "add": 5.0}


def test_the_rest_of_a_result() -> None:
    first = process_run(batches={"100": 3, "7": 1})
    second = process_run(
        steady=False,
        agreement=0.9,
        checked=8,
        generator_qps=40_000.0,
        memory={"gallery_bytes": 8000, "model_bytes": 100, "peak_bytes": 12_000},
        batches={"100": 2},
        offered_qps=10.0,
    )
    found = pooled([first, second])
    assert (found["steady"], found["agreement"], found["checked"]) == (False, 0.9, 24)
    assert found["memory"]["peak_bytes"] == 12_000
    assert found["batches"] == {"100": 5, "7": 1}
    assert (found["generator_qps"], found["offered_qps"]) == (40_000.0, 5.0)
    assert (found["windows"], found["completed"]) == (6, 600)
    assert found["facts"] == first.facts


def test_a_ratio_of_runs_without_spread() -> None:
    found = ratio([process_run([300] * 3)], [process_run([100] * 3)])
    assert found == Measure(3.0, 3.0, 3.0)


@given(RUNS, RUNS)
def test_a_ratio_turned_round_is_its_inverse(
    runs: list[ProcessRun], others: list[ProcessRun]
) -> None:
    there, back = ratio(runs, others), ratio(others, runs)
    assert there.value * back.value == pytest.approx(1)
    least = min(w.completed for r in runs for w in r.windows)
    most = max(w.completed for r in others for w in r.windows)
    assert there.low >= least / most - 1e-9


def test_runs_that_are_equal_are_not_drawn_alike() -> None:
    runs = [process_run([90, 100, 110, 130])]
    found = ratio(runs, runs)
    assert found.value == 1
    assert found.low < 1 < found.high


def test_what_may_be_claimed_is_the_further_bound() -> None:
    assert claimable(Measure(1.0, 0.98, 1.05)) == pytest.approx(0.05)
    assert claimable(Measure(1.0, 0.8, 1.05)) == pytest.approx(0.25)
    assert math.isclose(claimable(Measure(1.02, 1.01, 1.04)), 0.04)
