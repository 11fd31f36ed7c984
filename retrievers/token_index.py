"""Several vectors a thing, how two such sets are compared, and an exact index over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from retrievers.base import Cost, FloatArray, IntArray, Ranking, check_depth, unfilled
from retrievers.indexes import best_columns, merged, whole_tiles

_QUERIES_AT_ONCE = 16
# Numbers of a block of similarities: 64 MiB in float32.
_BLOCK = 1 << 24


@dataclass(frozen=True)
class Tokens:
    """Several vectors a thing, the same number of places for each.

    vectors  float32 [n, tokens, dim]; zeros where a place is padding
    weights  float32 [n, tokens]; 0 where a place is padding

    Raises ValueError where the shapes differ, a number is not finite, a place of padding is not
    zero, or a thing has nothing but padding.
    """

    vectors: FloatArray
    weights: FloatArray

    def __post_init__(self) -> None:
        if self.vectors.ndim != 3 or self.vectors.shape[:2] != self.weights.shape:
            raise ValueError(
                f"vectors {self.vectors.shape} and weights {self.weights.shape} are not "
                "[n, tokens, dim] and [n, tokens]"
            )
        if not (np.isfinite(self.vectors).all() and np.isfinite(self.weights).all()):
            raise ValueError("vectors and weights must be finite")
        padding = self.weights == 0
        if self.vectors[padding].any():
            raise ValueError("a vector of weight 0 is padding and must be zero")
        if padding.all(axis=1).any():
            raise ValueError(f"row {int(padding.all(axis=1).argmax())} is nothing but padding")

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def bytes(self) -> int:
        return self.vectors.nbytes + self.weights.nbytes

    def rows(self, kept: Sequence[int] | IntArray) -> Tokens:
        chosen = np.asarray(kept, np.int64)
        return Tokens(self.vectors[chosen], self.weights[chosen])


class Block(NamedTuple):
    """Some rows of Tokens on the device that compares them."""

    vectors: Tensor
    weights: Tensor


# (texts, items) -> scores [texts, items]; no score may depend on the others of its block.
Interaction = Callable[[Block, Block], Tensor]


def best_vector(texts: Block, items: Block) -> Tensor:
    """The one vector of a text (its first) against the nearest vector of the item.

    BLIP-2's image-text contrast (Li et al. 2023, section 3.2): the best of the item's queries.
    """
    similar = _similarities(Block(texts.vectors[:, :1], texts.weights[:, :1]), items)[:, :, 0]
    return similar.masked_fill(items.weights == 0, -torch.inf).amax(dim=2)


def weighted_both_ways(texts: Block, items: Block) -> Tensor:
    """Each token against the nearest of the other side, summed by weight; the mean of both ways.

    VALOR's fine-grained score (Chen et al. 2023) as its code computes it: a place of
    padding is as near to everything as a right angle, 0, and the maximum may choose it.
    The weights of a thing sum to 1.
    """
    similar = _similarities(texts, items)
    from_texts = (similar.amax(dim=3) * texts.weights[:, None]).sum(dim=2)
    from_items = (similar.amax(dim=2) * items.weights).sum(dim=2)
    return (from_texts + from_items) / 2


class TokenIndex:
    """Compares each query with everything stored, on any torch device.

    compare  (queries, stored) -> scores [queries, stored]

    Memory beside what is stored is bounded by a few blocks of similarities of 64 MiB, or of 16
    things by 16 where that is more. Of equal scores the lower row comes first.
    """

    def __init__(self, compare: Interaction, device: str = "cpu") -> None:
        self._compare = compare
        self._device = torch.device(device)
        self._stored: Block | None = None

    @property
    def bytes(self) -> int:
        return sum(one.numel() * one.element_size() for one in self._stored or ())

    def build(self, tokens: Tokens) -> None:
        self._stored = self._taken(tokens)

    def search(self, queries: Tokens, k: int) -> Ranking:
        """Rank what is stored. Raises ValueError when k < 1 or when nothing was built."""
        if self._stored is None:
            raise ValueError("the index holds nothing: call build first")
        check_depth(k)
        count = len(self._stored.weights)
        found = min(k, count)
        ids, scores = unfilled(len(queries), k)
        for start in range(0, len(queries) if found else 0, _QUERIES_AT_ONCE):
            here = slice(start, start + _QUERIES_AT_ONCE)
            best, rows = self._best(self._taken(queries, here), found)
            scores[here, :found] = best.cpu().numpy()
            ids[here, :found] = rows.cpu().numpy()
        compared = queries.weights.size * self._stored.weights.numel()
        return Ranking(ids, scores, Cost(vectors_compared=compared))

    def _best(self, queries: Block, k: int) -> tuple[Tensor, Tensor]:
        parts: list[tuple[Tensor, Tensor]] = []
        for start, block in self._blocks(queries.weights.shape[1]):
            scores = self._compare(queries, block)
            best, rows = best_columns(scores, min(k, scores.shape[1]))
            parts.append((best, rows + start))
            if len(parts) > 1:
                parts = [merged(parts, k)]
        return parts[0]

    def _blocks(self, query_tokens: int) -> Iterator[tuple[int, Block]]:
        assert self._stored is not None
        vectors, weights = self._stored
        one = max(1, _QUERIES_AT_ONCE * query_tokens * weights.shape[1])
        # A multiple of 16 things is whole tiles, whatever their number of tokens is.
        length = max(16, _BLOCK // one // 16 * 16)
        for start in range(0, len(weights), length):
            here = slice(start, start + length)
            yield start, Block(vectors[here], weights[here])

    def _taken(self, tokens: Tokens, rows: slice = slice(None)) -> Block:
        vectors, weights = (
            torch.from_numpy(np.ascontiguousarray(array[rows], np.float32)).to(self._device)
            for array in (tokens.vectors, tokens.weights)
        )
        return Block(vectors, weights)


def _similarities(texts: Block, items: Block) -> Tensor:
    """Inner products [texts, items, tokens of a text, tokens of an item]."""
    ours, theirs = texts.vectors.flatten(0, 1), items.vectors.flatten(0, 1)
    products = (whole_tiles(ours) @ whole_tiles(theirs).T)[: len(ours), : len(theirs)]
    return products.reshape(*texts.weights.shape, *items.weights.shape).transpose(1, 2)
