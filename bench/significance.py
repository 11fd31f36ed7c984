"""Whether two rows differ by more than chance, paired by query with the item as the unit.

The captions of one item succeed and fail together, so an item is what may be exchanged: were two
retrievers alike, their names on one item could be swapped, which turns the sign of the item's
summed differences. How often random signs give a difference as large as the measured one is the
p-value (randomisation tests under an approximate symmetry of clusters: Canay, Romano and Shaikh,
"Randomization Tests Under an Approximate Symmetry Assumption", Econometrica 85, 2017; in retrieval:
Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for Information
Retrieval Evaluation", CIKM 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.statistics import DRAWS_AT_ONCE

FloatArray = npt.NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
FLIPS = 10_000
FLIPS_A_COMPARISON = 200
MOST_ENUMERATED = 13
ROUNDING = 1e-9


def flips_for(comparisons: int) -> int:
    """As many flips as let a correction for that many comparisons still find something.

    The smallest p-value of f flips is 1 / (f + 1); times the comparisons it stays under 0.005.
    """
    return max(FLIPS, FLIPS_A_COMPARISON * comparisons)


def sums_by_item(differences: FloatArray, items: Sequence[str]) -> FloatArray:
    """[items, comparisons] the differences of each item's queries, added.

    differences  [queries, comparisons]
    items        [queries] the id of each query's item
    """
    clusters = _clusters(items)
    sums = np.zeros((int(clusters.max(initial=-1)) + 1, differences.shape[1]))
    np.add.at(sums, clusters, differences)
    return sums


def sign_flip_p(sums: FloatArray, *, flips: int = FLIPS, seed: int = 0) -> FloatArray:
    """[comparisons] two-sided p-values of no difference, by flips of the items' signs.

    sums   [items, comparisons] as ``sums_by_item``
    flips  random ones; the measured signs are counted as one more, so that no p-value is 0 and
           the test keeps its level (Phipson and Smyth, "Permutation P-values Should Never Be
           Zero", 2010, equation 2)

    Items without a difference change nothing and are passed over; where at most 13 are left,
    every flip is made and the p-value is exact. All comparisons share the random flips.
    """
    told = (sums != 0).sum(axis=0)
    p = np.ones(sums.shape[1])
    for column in np.flatnonzero((told > 0) & (told <= MOST_ENUMERATED)):
        p[column] = _exact(sums[sums[:, column] != 0, column])
    many = np.flatnonzero(told > MOST_ENUMERATED)
    if len(many):
        p[many] = _drawn(sums[:, many], flips, seed)
    return p


def _exact(sums: FloatArray) -> float:
    """The share of all sign flips that reach the measured difference.

    sums  [items] without a 0
    """
    bits = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
    return float(_reached((1.0 - 2.0 * bits) @ sums[:, None], sums[:, None]).mean())


def _drawn(sums: FloatArray, flips: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    step = max(1, DRAWS_AT_ONCE // len(sums))
    reached = np.zeros(sums.shape[1])
    for start in range(0, flips, step):
        rows, width = min(step, flips - start), -(-len(sums) // 8)
        drawn = rng.integers(0, 256, (rows, width), np.uint8)
        turned = np.unpackbits(drawn, axis=1, count=len(sums)).astype(np.float64)
        reached += _reached(sums.sum(axis=0) - 2 * (turned @ sums), sums).sum(axis=0)
    return (reached + 1) / (flips + 1)


def _reached(totals: FloatArray, sums: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether totals are as far from 0 as the measured one, rounding of the sums aside.

    totals  [flips, comparisons]
    sums    [items, comparisons]
    """
    slack = ROUNDING * np.abs(sums).sum(axis=0)
    return np.abs(totals) >= np.abs(sums.sum(axis=0)) - slack


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for being several, in the order given.

    Each may be held against the level alone, and the chance of one false finding or more stays
    under it, however they depend (Holm, "A Simple Sequentially Rejective Multiple Test
    Procedure", Scandinavian Journal of Statistics 6, 1979).
    """
    adjusted = [1.0] * len(p)
    floor = 0.0
    for place, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        floor = max(floor, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = floor
    return adjusted


def standard_errors(differences: FloatArray, items: Sequence[str]) -> FloatArray:
    """[comparisons] of the mean over queries, whose item is drawn with all its queries.

    differences  [queries, comparisons]

    By the squared residuals of the items' sums (Cameron and Miller, "A Practitioner's Guide to
    Cluster-Robust Inference", 2015, section II, with the correction C / (C - 1) for C items).
    Raises ValueError for fewer than two items, which show no spread.
    """
    clusters = _clusters(items)
    count = len(np.unique(clusters))
    if count < 2:
        raise ValueError("a standard error needs queries of two items or more")
    residuals = sums_by_item(differences - differences.mean(axis=0), items)
    spread = np.sqrt(count / (count - 1) * (residuals**2).sum(axis=0))
    return np.asarray(spread / len(differences))


def smallest_detectable(standard_error: float) -> float:
    """The true difference that one paired comparison finds in 80 of 100 such measurements.

    Two-sided at the 5 % level, by the normal approximation; in the unit of ``standard_error``.
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)) * standard_error


def _clusters(items: Sequence[str]) -> npt.NDArray[np.int64]:
    _, clusters = np.unique(np.asarray(items, dtype=object).astype(str), return_inverse=True)
    return clusters.astype(np.int64)
