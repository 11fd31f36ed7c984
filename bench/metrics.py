"""Recall and reciprocal rank from the rank of the first right answer, with ties shared fairly.

Where a right answer has the same score as wrong ones, its rank is not known: a sort would decide
it by the order of the rows. Each metric is therefore its expectation when tied answers stand in
random order, so that a scorer that gives everything one score gets what chance gets.

An answer is an item where a text asks, and a caption, or the set of an item's captions, where an
item asks.
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
    """Where the first right answer to each question stands, from 1; 0 where it was not found.

    best   [questions] its rank if every tie went its way
    worst  [questions] its rank if every tie went against it
    right  [questions] how many right answers share its score, itself among them
    """

    best: IntArray
    worst: IntArray
    right: IntArray

    def __post_init__(self) -> None:
        if self.best.ndim != 1 or not self.best.shape == self.worst.shape == self.right.shape:
            raise ValueError(
                f"best {self.best.shape}, worst {self.worst.shape} and right {self.right.shape} "
                "must be vectors of one length"
            )
        found = self.best > 0
        if ((self.best < 0) | (self.worst < self.best) | (found != (self.worst > 0))).any():
            raise ValueError("ranks must hold 0 <= best <= worst, and 0 in both or in none")
        if (found != (self.right > 0)).any():
            raise ValueError("right must be at least 1 where an answer was found, and 0 elsewhere")


def first_relevant_ranks(
    ids: IntArray, scores: npt.NDArray[np.floating], relevant: IntArray
) -> Ranks:
    """Ranks of the best placed right answer.

    ids       [questions, k] rows of what is ranked, -1 where nothing was found
    scores    [questions, k] descending
    relevant  [questions, most right answers to a question] rows, padded with -1
    """
    found = ids >= 0
    right = (ids[:, :, None] == relevant[:, None, :]).any(axis=2) & found
    hit = right.any(axis=1)
    score = np.where(right, scores, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    level = (scores == score) & found
    best = np.where(hit, ((scores > score) & found).sum(axis=1) + 1, 0)
    worst = np.where(hit, best + (level & ~right).sum(axis=1), 0)
    return Ranks(best, worst, np.where(hit, (level & right).sum(axis=1), 0))


def recall_at_k(ranks: Ranks, k: int) -> FloatArray:
    """[questions] the chance that the first right answer is among the top ``k``, 0 to 1.

    Of the answers that share the first right one's score, as many are drawn as the top ``k``
    has room for: the chance is one minus that of drawing none of the right ones
    (hypergeometric).
    """
    tied = ranks.worst - ranks.best + ranks.right
    drawn = np.clip(k - ranks.best + 1, 0, tied)
    missed = np.ones(len(ranks.best))
    for one in range(int(ranks.right.max(initial=0))):
        left = np.maximum(tied - drawn - one, 0) / np.maximum(tied - one, 1)
        missed *= np.where(one < ranks.right, left, 1.0)
    return np.where(ranks.best > 0, 1.0 - missed, 0.0)


def mrr_at_k(ranks: Ranks, k: int) -> FloatArray:
    """[questions] the expected reciprocal rank, 0 beyond rank ``k``."""
    within = np.stack([recall_at_k(ranks, depth) for depth in range(k + 1)])
    return (np.diff(within, axis=0) / np.arange(1, k + 1)[:, None]).sum(axis=0)


def per_query(ranks: Ranks) -> Mapping[str, FloatArray]:
    """Every metric of METRIC_NAMES, [questions] each."""
    recalls = {f"R@{k}": recall_at_k(ranks, k) for k in RECALL_DEPTHS}
    return {**recalls, f"MRR@{MRR_DEPTH}": mrr_at_k(ranks, MRR_DEPTH)}
