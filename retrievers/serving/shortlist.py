"""BLIP-2 as it is evaluated: its contrast ranks the gallery, and the best are matched again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from datasets.candidates import CandidateSet
from retrievers.base import Cost, FloatArray, IntArray, Ranking, VectorIndex, check_depth
from retrievers.serving import drawn_queries
from retrievers.serving.contract import Answered, Built, Needs, Place, Say
from retrievers.serving.drawn_queries import DrawnQueries, exact_ranking
from retrievers.serving.galleries import EXACT
from retrievers.serving.qformer_pairs import RELEASED, PairShape, QFormerPairs
from retrievers.serving.search_costs import exact_cost

# Pairs that are matched together: 60 MB of features.
_AT_ONCE = 16
# Of the drawn vectors, the batch and the depth that estimates are made for.
_DIM, _BATCH, _FIRST = 512, 100, 10


@dataclass(frozen=True)
class CascadeShape:
    """What decides the speed of a cascade.

    depth     candidates of a text that are due to be matched again, 128 as published
    measured  pairs of a batch that really are: the best of each text, then the second best, ...
    """

    pairs: PairShape = RELEASED
    depth: int = 128
    measured: int = 16

    def done(self, texts: int, depth: int, k: int) -> IntArray:
        """How many of each text's best ``depth`` are matched [texts].

        Where not all are, none below k is: the first k then are those of the first stage,
        whatever else the batch holds, and only their order is the scorer's.
        """
        if texts * depth <= self.measured:
            return np.full(texts, depth)
        each, more = divmod(self.measured, texts)
        return np.minimum(each + (np.arange(texts) < more), min(depth, k))


@dataclass(frozen=True)
class CascadeOf:
    """Makes the row of a shape."""

    shape: CascadeShape

    def __call__(self, place: Place) -> ServedCascade:
        """Raises CannotServe."""
        return ServedCascade(self.shape, place)

    def needs(self, place: Place, candidates: int) -> Needs:
        depth = min(self.shape.depth, candidates)
        pairs = int(self.shape.done(_BATCH, depth, _FIRST).sum()) / _BATCH
        needs = self.shape.pairs.needs(place, pairs=pairs, items=pairs)
        search = exact_cost(place, candidates, _DIM)
        return replace(
            needs,
            seconds_to_build=needs.seconds_to_build + search.seconds_to_build,
            seconds_a_query=needs.seconds_a_query + search.seconds_a_query,
            host_bytes=needs.host_bytes + search.host_bytes,
            device_bytes=needs.device_bytes + search.device_bytes,
        )


Blip2Cascade = CascadeOf(CascadeShape())


class ServedCascade:
    """First stage and second stage of a batch of texts.

    The first stage compares a text with one drawn vector an item, where BLIP-2 has 32, the best of
    which counts: of all 32 the comparison would still be a hundredth of the matching.
    """

    def __init__(self, shape: CascadeShape, place: Place) -> None:
        torch.set_num_threads(place.threads)
        self._shape, self._place = shape, place
        self._pairs = QFormerPairs(shape.pairs, place)
        self._built: _FirstStage | None = None

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        return {
            **self._pairs.told,
            "depth": self._shape.depth,
            "first stage": "exact, one drawn vector an item for the 32 of BLIP-2",
            "query vectors": drawn_queries.TOLD,
            "measured": f"{self._shape.measured} pairs of a batch, the best of each text first",
        }

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """Take the first stage's vectors. The features of a gallery are counted in
        ``gallery_bytes``; a few stand for them here. Raises CannotServe."""
        gallery = EXACT.build(self._place, candidates, say)
        self._built = _FirstStage(candidates, DrawnQueries(candidates), gallery.index)
        return Built(
            seconds=gallery.seconds,
            gallery_bytes=gallery.index.bytes + candidates.count * self._pairs.bytes_an_item,
            model_bytes=self._pairs.bytes,
            facts={**gallery.facts, "features held here": self._pairs.held},
        )

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Raises ValueError when k < 1 or when nothing was built.

        ``part`` is of the seconds that all of the depth would take, since only the matching is
        cut short.
        """
        check_depth(k)
        first_stage = self._whole()
        clocks = [time.perf_counter()]
        tokens = self._pairs.tokens(texts)
        clocks.append(time.perf_counter())
        # Checked, then put aside: random weights put all texts in one place.
        self._pairs.text_vectors(tokens)
        clocks.append(time.perf_counter())
        depth = min(self._shape.depth, first_stage.candidates.count)
        first = first_stage.index.search(first_stage.queries.of(texts), max(k, depth))
        clocks.append(time.perf_counter())
        done = self._shape.done(len(texts), depth, k)
        queries = np.repeat(np.arange(len(texts)), done)
        rows = np.concatenate([found[:count] for found, count in zip(first.ids, done, strict=True)])
        matched = [
            self._match(rows[start : start + _AT_ONCE], tokens[queries[start : start + _AT_ONCE]])
            for start in range(0, len(rows), _AT_ONCE)
        ]
        ranking = _again(first, done, np.concatenate(matched), k)
        clocks.append(time.perf_counter())
        tokenise, encode, search, score = np.diff(clocks).tolist()
        due = tokenise + encode + search + score * len(texts) * depth / len(rows)
        return Answered(
            ranking,
            {"tokenise": tokenise, "encode": encode, "search": search, "score": score},
            part=(clocks[-1] - clocks[0]) / due,
        )

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """Exact by numpy over the candidates as they lie on disk; pairs are matched one by one."""
        check_depth(k)
        first_stage = self._whole()
        depth = min(self._shape.depth, first_stage.candidates.count)
        queries = first_stage.queries.of(texts)
        first = exact_ranking(first_stage.candidates, queries, max(k, depth))
        done = self._shape.done(len(texts), depth, k)
        matched = [
            self._match(first.ids[place, rank : rank + 1], self._pairs.tokens([text]))
            for place, text in enumerate(texts)
            for rank in range(done[place])
        ]
        return _again(first, done, np.concatenate(matched), k)

    def _whole(self) -> _FirstStage:
        if self._built is None:
            raise ValueError("blip2:cascade has no gallery: call build first")
        return self._built

    def _match(self, rows: IntArray, tokens: Tensor) -> FloatArray:
        """Logits [pairs] of candidates [pairs] and tokens [pairs, length]."""
        return self._pairs.scores(self._pairs.of_items(rows.tolist()), tokens)


@dataclass(frozen=True)
class _FirstStage:
    candidates: CandidateSet
    queries: DrawnQueries
    index: VectorIndex


def _again(first: Ranking, done: IntArray, matched: FloatArray, k: int) -> Ranking:
    """The first stage's answers, the first ``done`` [texts] of each ordered by the sum of both.

    matched  [sum of done], of one text after another
    Those behind follow in the first stage's order, below.
    """
    ids, scores = first.ids.copy(), first.scores.copy()
    start = 0
    for place, count in enumerate(done):
        sums = matched[start : start + count] + first.scores[place, :count]
        order = np.argsort(-sums, kind="stable")
        ids[place, :count] = first.ids[place, order]
        scores[place, :count] = sums[order]
        # Only their order has a meaning; cosines, they differ by less than 2 from one another.
        if count:
            scores[place, count:] += scores[place, count - 1] - first.scores[place, count - 1]
        start += int(count)
    cost = Cost(first.cost.vectors_compared, pairs_scored=len(matched))
    return Ranking(ids[:, :k], scores[:, :k], cost)
