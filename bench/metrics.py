"""Recall and reciprocal rank from the rank of the first right item, with ties shared fairly.

Where a right item has the same score as wrong ones, its rank is not known: a sort would decide it
by the order of the rows. Each metric is therefore its expectation when tied items stand in
random order, so that a scorer that gives every item one score gets what chance gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

RECALL_DEPTHS = (1, 5, 10)
MRR_DEPTH = 10
METRIC_NAMES = (*(f"R@{k}" for k in RECALL_DEPTHS), f"MRR@{MRR_DEPTH}")


@dataclass(frozen=True)
class Ranks:
    """Where the first right item of each query stands, counted from 1; 0 where it was not found.

    best   [queries] its rank if every tie went its way
    worst  [queries] its rank if every tie went against it
    """

    best: IntArray
    worst: IntArray

    def __post_init__(self) -> None:
        if self.best.ndim != 1 or self.best.shape != self.worst.shape:
            raise ValueError(f"best {self.best.shape} and worst {self.worst.shape} differ")
        if (
            (self.best < 0) | (self.worst < self.best) | ((self.best == 0) != (self.worst == 0))
        ).any():
            raise ValueError("ranks must hold 0 <= best <= worst, and 0 in both or in none")


def first_relevant_ranks(
    ids: IntArray, scores: npt.NDArray[np.floating], relevant: IntArray
) -> Ranks:
    """Ranks of the best placed right item.

    ids       [queries, k] rows of the gallery, -1 where nothing was found
    scores    [queries, k] descending
    relevant  [queries, most right items of a query] rows of the gallery, padded with -1

    Where several right items share one score, they are counted as one, which can only
    understate the metrics.
    """
    found = ids >= 0
    right = (ids[:, :, None] == relevant[:, None, :]).any(axis=2) & found
    hit = right.any(axis=1)
    score = np.where(right, scores, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    better = ((scores > score) & found).sum(axis=1)
    tied = ((scores == score) & found & ~right).sum(axis=1)
    best = np.where(hit, better + 1, 0).astype(np.int64)
    return Ranks(best, np.where(hit, best + tied, 0).astype(np.int64))


def recall_at_k(ranks: Ranks, k: int) -> FloatArray:
    """[queries] the chance that the first right item is among the top ``k``, 0 to 1."""
    places = ranks.worst - ranks.best + 1
    share = np.clip((k - ranks.best + 1) / places, 0.0, 1.0)
    return np.where(ranks.best > 0, share, 0.0)


def mrr_at_k(ranks: Ranks, k: int) -> FloatArray:
    """[queries] the expected reciprocal rank, 0 beyond rank ``k``."""
    sums = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, k + 1))])
    last = np.minimum(ranks.worst, k)
    before = np.clip(ranks.best - 1, 0, last)
    total = sums[last] - sums[before]
    return np.where(ranks.best > 0, total / (ranks.worst - ranks.best + 1), 0.0)


def per_query(ranks: Ranks) -> Mapping[str, FloatArray]:
    """Every metric of METRIC_NAMES, [queries] each."""
    recalls = {f"R@{k}": recall_at_k(ranks, k) for k in RECALL_DEPTHS}
    return {**recalls, f"MRR@{MRR_DEPTH}": mrr_at_k(ranks, MRR_DEPTH)}
