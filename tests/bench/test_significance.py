"""Tests of differences against SciPy, hand-computed cases and what they promise."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.significance import (
    ALPHA,
    flips_for,
    holm,
    sign_flip_p,
    smallest_detectable,
    standard_errors,
    sums_by_item,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def scipy_p(sums: np.ndarray, resamples: float) -> float:
    found = scipy.stats.permutation_test(
        (sums,),
        np.sum,
        permutation_type="samples",
        n_resamples=resamples,
        alternative="two-sided",
        rng=np.random.default_rng(3),
    )
    return float(found.pvalue)


def test_few_items_are_enumerated_as_scipy_does() -> None:
    sums = np.array([2.0, -1.0, 3.0, 1.0, 0.5, -0.25, 2.0, 1.5])
    assert sign_flip_p(sums[:, None])[0] == pytest.approx(scipy_p(sums, np.inf))


def test_every_flip_by_hand() -> None:
    sums = np.array([3.0, 1.0, 1.0])
    totals = [abs(np.dot(signs, sums)) for signs in product((1, -1), repeat=3)]
    assert sorted(totals) == [1, 1, 3, 3, 3, 3, 5, 5]
    assert sign_flip_p(sums[:, None])[0] == pytest.approx(2 / 8)


def test_many_items_agree_with_scipy_and_the_t_test() -> None:
    rng = np.random.default_rng(1)
    sums = rng.normal(0.12, 1, 300)
    ours = sign_flip_p(sums[:, None])[0]
    assert ours == pytest.approx(scipy_p(sums, 9_999), abs=0.012)
    assert ours == pytest.approx(scipy.stats.ttest_1samp(sums, 0).pvalue, abs=0.015)


def test_random_flips_agree_with_every_flip() -> None:
    sums = np.array([1.0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1])
    exact = scipy.stats.binomtest(3, 14).pvalue
    assert sign_flip_p(sums[:, None])[0] == pytest.approx(exact, abs=0.01)


def test_no_p_value_is_below_what_the_flips_can_show() -> None:
    assert sign_flip_p(np.ones((40, 1)), flips=99)[0] == pytest.approx(1 / 100)


def test_items_without_a_difference_change_nothing() -> None:
    sums = np.array([2.0, 1.0, -1.0, 4.0, 2.0])
    padded = np.concatenate([sums, np.zeros(500)])
    np.testing.assert_array_equal(sign_flip_p(padded[:, None]), sign_flip_p(sums[:, None]))
    assert sign_flip_p(np.zeros((30, 2))).tolist() == [1, 1]


def test_captions_that_move_together_are_one_piece_of_evidence() -> None:
    differences = np.repeat([1.0, 1.0, 1.0, -1.0, 1.0], 20)[:, None]
    items = [f"item {row // 20}" for row in range(100)]
    assert sign_flip_p(sums_by_item(differences, items))[0] == pytest.approx(12 / 32)


def test_sums_are_of_each_items_queries() -> None:
    differences = np.array([[1.0, 5.0], [2.0, 6.0], [4.0, 7.0]])
    assert sums_by_item(differences, ["b", "a", "b"]).tolist() == [[2, 6], [5, 12]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=1, max_size=40))
def test_swapping_the_rows_keeps_the_p_value(values: list[float]) -> None:
    sums = np.array(values)[:, None]
    p = sign_flip_p(sums, flips=500)
    assert 0 < p[0] <= 1
    np.testing.assert_array_equal(p, sign_flip_p(-sums, flips=500))


def test_a_false_alarm_is_as_rare_as_the_level_says() -> None:
    rng = np.random.default_rng(8)
    alike = sign_flip_p(rng.standard_t(4, (60, 400)), flips=999)
    assert 0.025 <= (alike <= ALPHA).mean() <= 0.08


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1, 1])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]) == []


@given(P_VALUES)
def test_holm_raises_keeps_the_order_and_stays_a_probability(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(raw <= one <= 1 for raw, one in zip(p, adjusted, strict=True))
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert all(one <= min(1, len(p) * raw) + 1e-12 for raw, one in zip(p, adjusted, strict=True))


@given(P_VALUES)
def test_holm_rejects_as_its_steps_do(p: list[float]) -> None:
    rejected = 0
    while rejected < len(p) and sorted(p)[rejected] * (len(p) - rejected) <= ALPHA:
        rejected += 1
    assert sum(one <= ALPHA for one in holm(p)) == rejected


def test_enough_flips_for_the_correction_to_find_something() -> None:
    for comparisons in (1, 50, 3_000):
        flips = flips_for(comparisons)
        assert comparisons / (flips + 1) <= 0.005


def test_the_standard_error_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(4)

    def drawn() -> tuple[np.ndarray, list[str]]:
        sizes = rng.integers(1, 6, 80)
        items = np.repeat(np.arange(80), sizes)
        shared = rng.normal(0, 0.5, 80)[items] + rng.normal(0, 0.5, len(items))
        return shared[:, None], [str(item) for item in items]

    means, errors = [], []
    for _ in range(600):
        values, items = drawn()
        means.append(values.mean())
        errors.append(standard_errors(values, items)[0])
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.1)


def test_the_standard_error_of_one_query_an_item_is_the_usual_one() -> None:
    values = np.random.default_rng(5).random(50)
    ours = standard_errors(values[:, None], [str(row) for row in range(50)])[0]
    assert ours == pytest.approx(scipy.stats.sem(values))


def test_one_item_shows_no_spread() -> None:
    with pytest.raises(ValueError, match="two items"):
        standard_errors(np.ones((3, 1)), ["a", "a", "a"])


def test_the_smallest_detectable_difference_is_found_about_four_times_in_five() -> None:
    """Five captions an item that partly move together, the true difference planted."""
    rng = np.random.default_rng(6)
    count, captions = 150, 5
    items = [str(row // captions) for row in range(count * captions)]

    def noise(times: int) -> np.ndarray:
        shared = np.repeat(rng.normal(0, 0.3, (count, times)), captions, axis=0)
        return shared + rng.normal(0, 0.4, (count * captions, times))

    error = float(standard_errors(noise(20), items).mean())
    planted = smallest_detectable(error)
    assert planted == pytest.approx((1.959964 + 0.841621) * error, rel=1e-5)
    p = sign_flip_p(sums_by_item(noise(300) + planted, items), flips=999)
    assert 0.72 <= (p <= ALPHA).mean() <= 0.88
