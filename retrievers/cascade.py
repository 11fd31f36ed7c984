"""A cascade: a first stage ranks the gallery, a single tower scores the best again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets.base import Item, Pairs
from retrievers.base import (
    Cost,
    FloatArray,
    IndexStats,
    IntArray,
    PairScorer,
    Ranking,
    Retriever,
    RetrieverSpec,
)
from retrievers.saved_items import load_items, save_items


class Cascade:
    """Scores the first stage's best ``depth`` items again; the rest follow in its order.

    Of items that the scorer finds equal, the one that the first stage ranked higher comes
    first. The items below ``depth`` go down in steps of one from the last score of the pair
    scorer, a step for each distinct score of the first stage: only their order has a meaning.
    """

    def __init__(
        self, spec: RetrieverSpec, first_stage: Retriever, scorer: PairScorer, depth: int
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self._spec = spec
        self._first_stage = first_stage
        self._scorer = scorer
        self._depth = depth
        self._items: tuple[Item, ...] = ()

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the first stage; seconds by phase."""
        return self._first_stage.fit(train, validation)

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Replace the gallery of both stages."""
        stats = self._first_stage.index(items)
        started = time.perf_counter()
        self._take(items)
        return IndexStats({**stats.seconds, "prepare": time.perf_counter() - started}, stats.bytes)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Rank the gallery. Raises ValueError when k < 1 or when nothing was indexed.

        The best ``depth`` are scored again whatever ``k`` is: a smaller k cuts the same ranking.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        first = self._first_stage.search(queries, max(k, self._depth))
        ids, scores = _rescored(first, self._scorer, queries, self._depth)
        cost = Cost(
            vectors_compared=first.cost.vectors_compared,
            pairs_scored=first.cost.pairs_scored + int((first.ids[:, : self._depth] >= 0).sum()),
            tokens_decoded=first.cost.tokens_decoded,
        )
        return Ranking(ids[:, :k], scores[:, :k], cost)

    def save(self, folder: Path) -> None:
        """Write the first stage and the gallery's items, which the scorer takes again."""
        self._first_stage.save(folder / "first_stage")
        save_items(folder / "items", self._items)

    def load(self, folder: Path) -> None:
        self._first_stage.load(folder / "first_stage")
        self._take(load_items(folder / "items"))

    def _take(self, items: Sequence[Item]) -> None:
        self._scorer.prepare(items)
        self._items = tuple(items)


def _rescored(
    first: Ranking, scorer: PairScorer, queries: Sequence[str], depth: int
) -> tuple[IntArray, FloatArray]:
    top, rest = first.ids[:, :depth], first.ids[:, depth:]
    if not top.size:
        return first.ids, first.scores
    again = np.where(top >= 0, scorer.score(queries, top), -np.inf).astype(np.float32)
    if not np.isfinite(again[top >= 0]).all():
        raise ValueError("the pair scorer gave scores that are not finite")
    order = np.argsort(-again, axis=1, kind="stable")
    head = np.take_along_axis(again, order, axis=1)
    tail = np.where(rest >= 0, _steps_below(head[:, -1:], first.scores[:, depth:]), -np.inf)
    ids = np.concatenate([np.take_along_axis(top, order, axis=1), rest], axis=1)
    return ids, np.concatenate([head, tail.astype(np.float32)], axis=1)


def _steps_below(last: FloatArray, scores: FloatArray) -> FloatArray:
    """Scores [queries, n] that start one below ``last`` [queries, 1] and keep ties tied."""
    start = np.ones((len(scores), min(1, scores.shape[1])), bool)
    distinct = np.concatenate([start, scores[:, 1:] != scores[:, :-1]], axis=1)
    return last - distinct.cumsum(axis=1).astype(np.float32)
