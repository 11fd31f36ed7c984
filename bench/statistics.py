"""Intervals by bootstrap over items.

The captions of one item succeed and fail together, so the item is what is drawn again, with all
its queries (a cluster bootstrap with the percentile interval; Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bench.cells import Measure

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESAMPLES = 2_000
CONFIDENCE = 0.95
DRAWS_AT_ONCE = 4_000_000


def _draw_counts(rng: np.random.Generator, resamples: int, items: int) -> FloatArray:
    """[resamples, items] how often each item was drawn: multinomial with equal chances."""
    drawn = rng.integers(0, items, (resamples, items))
    drawn += np.arange(resamples)[:, None] * items
    counts = np.bincount(drawn.ravel(), minlength=resamples * items)
    return counts.reshape(resamples, items).astype(np.float64)


def resampled_means(
    values: FloatArray, clusters: IntArray, *, resamples: int = RESAMPLES, seed: int = 0
) -> FloatArray:
    """[resamples, metrics] means over queries when the clusters are drawn with replacement.

    values    [queries, metrics]
    clusters  [queries] the number of each query's cluster, 0 to the number of clusters - 1
    """
    items = int(clusters.max()) + 1
    sums = np.zeros((items, values.shape[1]))
    np.add.at(sums, clusters, values)
    sizes = np.bincount(clusters, minlength=items).astype(np.float64)
    rng = np.random.default_rng(seed)
    step = max(1, DRAWS_AT_ONCE // items)
    parts = []
    for start in range(0, resamples, step):
        counts = _draw_counts(rng, min(step, resamples - start), items)
        parts.append((counts @ sums) / (counts @ sizes)[:, None])
    return np.concatenate(parts)


def measures(
    per_query: Mapping[str, FloatArray],
    items: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Measure]:
    """The mean of each metric over the queries, with its 95 % interval.

    per_query  metric -> [queries]
    items      [queries] the id of each query's item

    With a single item there is nothing to draw from, and the interval is the value itself.
    Raises ValueError when there is no query.
    """
    if not items:
        raise ValueError("no query, so there is nothing to average")
    _, clusters = np.unique(np.asarray(items, dtype=object).astype(str), return_inverse=True)
    values = np.stack(
        [np.asarray(column, dtype=np.float64) for column in per_query.values()], axis=1
    )
    means = resampled_means(values, clusters.astype(np.int64), resamples=resamples, seed=seed)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return {
        name: Measure(float(values[:, column].mean()), float(low[column]), float(high[column]))
        for column, name in enumerate(per_query)
    }


def paired_differences(
    first: Mapping[str, FloatArray],
    second: Mapping[str, FloatArray],
    items: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Measure]:
    """How far the mean of ``first`` lies above that of ``second``, with its 95 % interval.

    Both hold metric -> [queries], of the same queries in the same order. Each query is its own
    comparison, so that what makes it hard for both falls out; items are drawn as in ``measures``.
    Raises ValueError when there is no query or when metrics or queries differ.
    """
    if first.keys() != second.keys():
        raise ValueError(f"metrics {', '.join(first)} cannot be paired with {', '.join(second)}")
    apart = {name: np.asarray(first[name]) - np.asarray(second[name]) for name in first}
    return measures(apart, items, resamples=resamples, seed=seed)
