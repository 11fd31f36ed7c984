"""Exact search for the largest inner product, in FAISS."""

from __future__ import annotations

from typing import Any

from retrievers.base import Cost, FloatArray, Ranking, unfilled
from retrievers.indexes.faiss_package import import_faiss, ordered, use_threads
from retrievers.indexes.vectors import check_search, check_vectors, contiguous


class FaissFlat:
    """FAISS ``IndexFlatIP``: exact search on the processor.

    Of items with equal scores the lower row comes first; where a tie straddles the k-th place,
    FAISS alone decides which of the tied items are found. Scores of one query may differ in the
    last bits between batches, as FAISS compares small and large batches by different routines.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._faiss = import_faiss()
        self._threads = threads
        self._index: Any = None

    @property
    def bytes(self) -> int:
        return 0 if self._index is None else int(self._index.ntotal * self._index.d * 4)

    def build(self, vectors: FloatArray) -> None:
        """Take vectors [items, dim]. Raises ValueError unless all are finite."""
        check_vectors(vectors, "vectors")
        index = self._faiss.IndexFlatIP(vectors.shape[1])
        index.add(contiguous(vectors))
        self._index = index

    def search(self, queries: FloatArray, k: int) -> Ranking:
        """Rank for queries [queries, dim].

        Raises ValueError when k < 1, when nothing was built or when the widths differ.
        """
        if self._index is None:
            raise ValueError("the index holds nothing: call build first")
        check_search(queries, k, self._index.d)
        count = int(self._index.ntotal)
        found = min(k, count)
        ids, scores = unfilled(len(queries), k)
        if found and len(queries):
            use_threads(self._faiss, self._threads)
            best, rows = self._index.search(contiguous(queries), found)
            scores[:, :found], ids[:, :found] = ordered(best, rows)
        return Ranking(ids, scores, Cost(vectors_compared=len(queries) * count))
