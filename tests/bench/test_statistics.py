"""Intervals by bootstrap over items against a slow loop, SciPy and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.statistics import measures, resampled_means


def test_equals_a_slow_loop_over_the_same_draws() -> None:
    rng = np.random.default_rng(5)
    items, values = rng.integers(0, 12, 60), rng.random((60, 2))
    items[:12] = np.arange(12)
    draws = np.random.default_rng(7).integers(0, 12, (50, 12))
    slow = []
    for drawn in draws:
        queries = [query for item in drawn for query in np.flatnonzero(items == item)]
        slow.append(values[queries].mean(axis=0))
    fast = resampled_means(values, items, resamples=50, seed=7)
    np.testing.assert_allclose(fast, slow)


def test_agrees_with_scipy_for_one_query_an_item() -> None:
    hits = (np.random.default_rng(1).random(300) < 0.4).astype(float)
    ours = measures({"R@1": hits}, [f"item {row}" for row in range(300)])["R@1"]
    theirs = scipy.stats.bootstrap(
        (hits,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.value == pytest.approx(hits.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.008)
    assert ours.high == pytest.approx(theirs.high, abs=0.008)


def test_captions_that_succeed_together_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    together = np.repeat(rng.random(100) < 0.5, 5).astype(float)
    items = [str(row) for row in np.repeat(np.arange(100), 5)]
    clustered = measures({"R@1": together}, items)["R@1"]
    alone = measures({"R@1": together}, [str(row) for row in range(500)])["R@1"]
    assert (clustered.high - clustered.low) > 1.8 * (alone.high - alone.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        chance = np.repeat(rng.beta(2, 2, 120), 3)
        hits = (rng.random(360) < chance).astype(float)
        items = [str(row) for row in np.repeat(np.arange(120), 3)]
        found = measures({"R@1": hits}, items, resamples=300)["R@1"]
        covered += found.low <= 0.5 <= found.high
    assert 0.89 <= covered / 200 <= 0.99


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=40))
def test_bounds_hold_the_value_of_items_alike(pairs: list[tuple[float, int]]) -> None:
    values, items = zip(*pairs, strict=True)
    found = measures({"x": np.array(values)}, [str(item) for item in items], resamples=200)["x"]
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found.value == pytest.approx(np.mean(values))


def test_the_same_input_gives_the_same_interval() -> None:
    hits, items = np.arange(50.0) % 2, [str(row // 2) for row in range(50)]
    assert measures({"x": hits}, items) == measures({"x": hits}, items)


def test_one_item_has_no_spread() -> None:
    found = measures({"x": np.array([1.0, 0.0])}, ["only", "only"])["x"]
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_no_query_is_refused() -> None:
    with pytest.raises(ValueError, match="no query"):
        measures({"x": np.array([])}, [])
