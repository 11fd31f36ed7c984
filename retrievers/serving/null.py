"""A row that does nothing: what asks it cannot ask faster than this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from datasets.candidates import CandidateSet
from retrievers.base import Ranking, check_depth, unfilled
from retrievers.serving.contract import Answered, Built, Needs, Place, Say

# Of an interpreter with numpy in it.
_PROCESS_BYTES = 120 << 20


class Null:
    """Answers every text with the gallery's first rows."""

    def __init__(self, place: Place) -> None:
        self._count = 0

    @staticmethod
    def needs(place: Place, candidates: int) -> Needs:
        return Needs(seconds_to_build=0.0, seconds_a_query=0.0, host_bytes=_PROCESS_BYTES)

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        return {"answer": "the first rows"}

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        self._count = candidates.count
        return Built(seconds={}, gallery_bytes=0, model_bytes=0)

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Raises ValueError when k < 1."""
        check_depth(k)
        ids, scores = unfilled(len(texts), k)
        found = min(k, self._count)
        ids[:, :found] = np.arange(found)
        scores[:, :found] = -np.arange(found, dtype=np.float32)
        return Answered(Ranking(ids, scores), seconds={})

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """The same, a text and a place at a time."""
        rows = [[place if place < self._count else -1 for place in range(k)] for _ in texts]
        scores = [[-place if place < self._count else -np.inf for place in range(k)] for _ in texts]
        shape = (len(texts), k)
        return Ranking(
            np.array(rows, np.int64).reshape(shape), np.array(scores, np.float32).reshape(shape)
        )
