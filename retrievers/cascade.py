"""A cascade: a first stage ranks the gallery, a single tower scores the best again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, Protocol

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
    TextRanker,
    check_depth,
)
from retrievers.progress import Bars
from retrievers.saved_items import load_items, save_items

# (scores of the pair scorer, scores of the first stage), both [queries, depth] -> the final ones
Combine = Callable[[FloatArray, FloatArray], FloatArray]

_AT_ONCE = 16


class FirstStage(Retriever, TextRanker, Protocol):
    """Ranks items for a text, and texts for an item."""


def the_scorer_alone(again: FloatArray, first: FloatArray) -> FloatArray:
    return again


def the_sum_of_both(again: FloatArray, first: FloatArray) -> FloatArray:
    return again + first


def depth_of(spec: RetrieverSpec) -> int | Literal["all"]:
    """The option "depth" of a spec. Raises ValueError where it is neither a number nor "all"."""
    depth = spec.options.get("depth")
    if depth == "all":
        return "all"
    if not isinstance(depth, int) or depth < 1:
        raise ValueError(f"the depth of {spec.name} must be at least 1 or 'all', not {depth!r}")
    return depth


class Cascade:
    """Scores the first stage's best ``depth`` again; the rest follow in its order.

    Of those that the final score finds equal, the one that the first stage ranked higher comes
    first. Those below ``depth`` go down in steps of one from the last final score, a step for
    each distinct score of the first stage: only their order has a meaning.

    depth    in both directions: of the gallery's items for a text, of the texts for an item;
             "all" scores every pair
    combine  makes the final score
    """

    def __init__(
        self,
        spec: RetrieverSpec,
        first_stage: FirstStage,
        scorer: PairScorer,
        depth: int | Literal["all"],
        combine: Combine = the_scorer_alone,
    ) -> None:
        if depth != "all" and depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self._spec = spec
        self._first_stage = first_stage
        self._scorer = scorer
        self._depth = depth
        self._combine = combine
        self._items: tuple[Item, ...] = ()
        self._texts: tuple[str, ...] = ()

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
        check_depth(k)
        depth = self._reach(len(self._items))
        first = self._first_stage.search(queries, max(k, depth))
        return self._again(
            first, depth, k, lambda here, rows: self._scorer.score(queries[here], rows)
        )

    def index_texts(self, texts: Sequence[str]) -> None:
        """Replace the texts that ``search_texts`` ranks; the gallery stays."""
        self._first_stage.index_texts(texts)
        self._texts = tuple(texts)

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        """Rank the texts for each item, the best ``depth`` by both stages.

        Raises ValueError when k < 1 or when no texts were indexed.
        """
        check_depth(k)
        depth = self._reach(len(self._texts))
        first = self._first_stage.search_texts(items, max(k, depth))
        return self._again(
            first,
            depth,
            k,
            lambda here, rows: self._scorer.score_texts(items[here], self._texts, rows),
        )

    def save(self, folder: Path) -> None:
        """Write the first stage and the gallery's items, which the scorer takes again."""
        self._first_stage.save(folder / "first_stage")
        save_items(folder / "items", self._items)

    def load(self, folder: Path) -> None:
        self._first_stage.load(folder / "first_stage")
        self._take(load_items(folder / "items"))
        self._texts = ()

    def _take(self, items: Sequence[Item]) -> None:
        self._scorer.prepare(items)
        self._items = tuple(items)

    def _reach(self, count: int) -> int:
        return count if self._depth == "all" else min(self._depth, count)

    def _again(
        self, first: Ranking, depth: int, k: int, score: Callable[[slice, IntArray], FloatArray]
    ) -> Ranking:
        top, rest = first.ids[:, :depth], first.ids[:, depth:]
        cost = Cost(
            vectors_compared=first.cost.vectors_compared,
            pairs_scored=first.cost.pairs_scored + int((top >= 0).sum()),
            tokens_decoded=first.cost.tokens_decoded,
        )
        if not top.size:
            return Ranking(first.ids[:, :k], first.scores[:, :k], cost)
        scored = _in_parts(f"{self._spec.name}: scoring pairs", top, score)
        again = np.where(top >= 0, self._combine(scored, first.scores[:, :depth]), -np.inf)
        if not np.isfinite(again[top >= 0]).all():
            raise ValueError("the pair scorer gave scores that are not finite")
        order = np.argsort(-again, axis=1, kind="stable")
        head = np.take_along_axis(again, order, axis=1).astype(np.float32)
        tail = np.where(rest >= 0, _steps_below(head[:, -1:], first.scores[:, depth:]), -np.inf)
        ids = np.concatenate([np.take_along_axis(top, order, axis=1), rest], axis=1)
        scores = np.concatenate([head, tail.astype(np.float32)], axis=1)
        return Ranking(ids[:, :k], scores[:, :k], cost)


def _in_parts(
    label: str, rows: IntArray, score: Callable[[slice, IntArray], FloatArray]
) -> FloatArray:
    """Scores [queries, depth], a few queries at a time, with a bar where there are many."""
    bars = Bars()
    parts = []
    with bars.shown() if len(rows) > _AT_ONCE else nullcontext():
        for start in range(0, len(rows), _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            parts.append(score(here, rows[here]))
            bars.step(label, min(start + _AT_ONCE, len(rows)), len(rows))
    return np.concatenate(parts)


def _steps_below(last: FloatArray, scores: FloatArray) -> FloatArray:
    """Scores [queries, n] that start one below ``last`` [queries, 1] and keep ties tied."""
    start = np.ones((len(scores), min(1, scores.shape[1])), bool)
    distinct = np.concatenate([start, scores[:, 1:] != scores[:, :-1]], axis=1)
    return last - distinct.cumsum(axis=1).astype(np.float32)
