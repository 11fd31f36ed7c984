"""The vector that a text is searched with, and what exact search finds for it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from datasets.candidates import CandidateSet
from retrievers.base import FloatArray, IntArray, Ranking, check_depth, unfilled

# As many texts are searched with different vectors; a few megabytes.
QUERIES = 8192
TOLD = f"one of {QUERIES:,} drawn, by the text's CRC-32: random weights put all texts in one place"


class DrawnQueries:
    """A drawn vector for each text, always the same one.

    A tower with random weights gives all texts nearly one vector, with which every index would
    visit one and the same corner. Its vector is computed and checked all the same.
    """

    def __init__(self, candidates: CandidateSet) -> None:
        self._vectors = candidates.queries(QUERIES)

    def of(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim], unit rows."""
        rows = [zlib.crc32(text.encode("utf-8", "replace")) % QUERIES for text in texts]
        chosen: FloatArray = self._vectors[np.array(rows, np.int64)]
        return chosen


def exact_ranking(candidates: CandidateSet, queries: FloatArray, k: int) -> Ranking:
    """The k best candidates by inner product for queries [queries, dim], a block at a time.

    Of equal scores the lower row comes first. Raises ValueError when k < 1.
    """
    check_depth(k)
    ids, scores = unfilled(len(queries), k)
    start = 0
    for block in candidates.blocks():
        rows = np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))
        scores, ids = _best(
            np.concatenate([scores, queries @ block.T], axis=1),
            np.concatenate([ids, rows], axis=1),
            k,
        )
        start += len(block)
    return Ranking(ids, scores)


def _best(scores: FloatArray, ids: IntArray, k: int) -> tuple[FloatArray, IntArray]:
    """The k best of each row, what stands further left first where scores are equal."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
