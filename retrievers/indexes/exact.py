"""Exact search for the largest inner product, in torch."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch

from retrievers.base import Cost, FloatArray, IntArray, Ranking, unfilled
from retrievers.indexes.vectors import Vectors, check_search, check_vectors, contiguous

_QUERIES_AT_ONCE = 256
_ITEMS_AT_ONCE = 1 << 16
# Matrix products take other paths for one row than for several and at the ragged edge of a
# matrix; on whole tiles a score has the same bits wherever its query and its item stand.
_TILE = 16


class TorchExact:
    """Compares each query with every vector, on any torch device.

    On the processor the vectors are those given to ``build``, of which fewer than 65,536 are
    copied; they may be mapped from a file that cannot be written. Memory beside them is bounded
    by a block of 256 queries x 65,536 items. A query's answer does not depend on the other
    queries of its batch. Of items with equal scores the lower row comes first, so the order of
    the gallery must carry no information.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)
        # Each of 65,536 items, the last filled up to whole tiles.
        self._blocks: list[torch.Tensor] = []
        self._shape: tuple[int, int] | None = None

    @property
    def bytes(self) -> int:
        return 0 if self._shape is None else 4 * math.prod(self._shape)

    def build(self, vectors: FloatArray) -> None:
        """Take vectors [items, dim]. Raises ValueError unless all are finite."""
        check_vectors(vectors, "vectors")
        rows = _shared(vectors)
        self._shape = (rows.shape[0], rows.shape[1])
        self._blocks = [whole_tiles(block).to(self._device) for block in rows.split(_ITEMS_AT_ONCE)]

    def search(self, queries: FloatArray, k: int) -> Ranking:
        """Rank for queries [queries, dim].

        Raises ValueError when k < 1, when nothing was built or when the widths differ.
        """
        if self._shape is None:
            raise ValueError("the index holds nothing: call build first")
        count, dim = self._shape
        check_search(queries, k, dim)
        found = min(k, count)
        ids, scores = unfilled(len(queries), k)
        if found and len(queries):
            taken = _shared(queries)
            for start in range(0, len(queries), _QUERIES_AT_ONCE):
                block = taken[start : start + _QUERIES_AT_ONCE]
                best, rows = self._best(whole_tiles(block).to(self._device), found, count)
                here = slice(start, start + len(block))
                scores[here, :found] = best[: len(block)].cpu().numpy()
                ids[here, :found] = rows[: len(block)].cpu().numpy()
        return Ranking(ids, scores, Cost(vectors_compared=len(queries) * count))

    def _best(self, queries: torch.Tensor, k: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        parts = []
        for number, block in enumerate(self._blocks):
            start = number * _ITEMS_AT_ONCE
            scores = (queries @ block.T)[:, : count - start]
            best, rows = best_columns(scores, min(k, scores.shape[1]))
            parts.append((best, rows + start))
            if len(parts) > 1:
                parts = [merged(parts, k)]
        return parts[0]


def nearest(vectors: Vectors, queries: FloatArray, k: int) -> Ranking:
    """What ``TorchExact`` answers, of vectors read from a stream and not held.

    Raises ValueError as its ``build`` and its ``search`` do.
    """
    check_search(queries, k, vectors.dim)
    ids, scores = unfilled(len(queries), k)
    start = 0
    for block in vectors.blocks(_ITEMS_AT_ONCE):
        index = TorchExact()
        index.build(block)
        here = index.search(queries, k)
        best, rows = merged([_tensors(scores, ids), _tensors(here.scores, here.ids + start)], k)
        scores, ids = best.numpy(), rows.numpy()
        start += len(block)
    ids[np.isneginf(scores)] = -1
    return Ranking(ids, scores, Cost(vectors_compared=len(queries) * start))


def _tensors(scores: FloatArray, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(scores), torch.from_numpy(rows)


def best_columns(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of each row, equal scores by the lower column."""
    reach = min(k + 1, scores.shape[1])
    best, columns = scores.topk(reach, dim=1)
    if reach > k:
        straddled = (best[:, k - 1] == best[:, k]).nonzero().squeeze(1)
        columns = columns[:, :k]
        if len(straddled):
            columns[straddled] = _lowest_of_tied(scores[straddled], best[straddled, k - 1], k)
    columns = columns.sort(dim=1).values
    order = scores.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return order.values, columns.gather(1, order.indices)


def _lowest_of_tied(scores: torch.Tensor, kth: torch.Tensor, k: int) -> torch.Tensor:
    """Columns of the k best of each row when more than k reach its k-th best score."""
    above = scores > kth[:, None]
    level = scores == kth[:, None]
    room = k - above.sum(dim=1, keepdim=True)
    chosen = above | (level & (level.cumsum(dim=1) <= room))
    return chosen.nonzero()[:, 1].reshape(len(scores), k)


def merged(
    parts: list[tuple[torch.Tensor, torch.Tensor]], k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of parts (scores, rows) whose rows ascend from part to part."""
    scores = torch.cat([best for best, _ in parts], dim=1)
    rows = torch.cat([rows for _, rows in parts], dim=1)
    order = scores.sort(dim=1, descending=True, stable=True)
    return order.values[:, :k], rows.gather(1, order.indices)[:, :k]


def whole_tiles(rows: torch.Tensor) -> torch.Tensor:
    """Rows of zeros below [rows, dim], up to a multiple of 16."""
    missing = -len(rows) % _TILE
    return torch.cat([rows, rows.new_zeros(missing, rows.shape[1])]) if missing else rows


def _shared(rows: FloatArray) -> torch.Tensor:
    """The same memory where it is float32 in rows; the tensor is only read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(contiguous(rows))
