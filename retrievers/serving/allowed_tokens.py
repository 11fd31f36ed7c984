"""Which tokens may follow a prefix, as transformers asks it: one prefix at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from retrievers.base import IntArray

# Stands where nothing may follow: a beam that has too few continuations is filled with prefixes
# that lead nowhere, at a score of -inf, and transformers wants a token for each.
PAD = 0


class AllowedTokens:
    """A prefix tree of sorted numbers: a prefix packed into one is found by halving.

    Made of identifiers [n, length] in the vocabulary that the model writes. It takes tens of
    bytes an item where a dictionary of tuples takes hundreds, and two searches of a sorted array
    are nothing beside a step of the model.

    Raises ValueError where two items share an identifier, or where one does not fit 62 bits.
    """

    def __init__(self, tokens: IntArray) -> None:
        lowest = tokens.min(axis=0)
        spread: list[int] = (tokens.max(axis=0) - lowest + 1).tolist()
        if math.prod(spread) >= 2**62:
            raise ValueError(f"identifiers of {spread} tokens a position do not fit 62 bits")
        self._lowest: list[int] = lowest.tolist()
        self._spread = spread
        packed = np.zeros(len(tokens), np.int64)
        for level, size in enumerate(spread):
            packed = packed * size + tokens[:, level] - lowest[level]
        order = np.argsort(packed, kind="stable")
        self._leaves, self._rows = packed[order], order.astype(np.int32)
        if (self._leaves[1:] == self._leaves[:-1]).any():
            raise ValueError("two items share an identifier")
        self._levels = [
            _Level.of(self._leaves // math.prod(spread[level + 1 :]), size, self._lowest[level])
            for level, size in enumerate(spread)
        ]

    @property
    def length(self) -> int:
        """Tokens in an identifier."""
        return len(self._spread)

    @property
    def bytes(self) -> int:
        levels = sum(level.bytes for level in self._levels)
        return levels + self._leaves.nbytes + self._rows.nbytes

    def after(self, prefix: Sequence[int]) -> Tensor:
        """int64 tokens that may follow; ``PAD`` alone where the prefix leads nowhere."""
        packed = self._packed(prefix)
        found = None if packed is None else self._levels[len(prefix)].after(packed)
        return torch.tensor([PAD]) if found is None else found

    def row(self, identifier: Sequence[int]) -> int:
        """The item of a whole identifier, -1 where there is none."""
        packed = self._packed(identifier)
        if packed is None or len(identifier) != self.length:
            return -1
        place = int(self._leaves.searchsorted(packed))
        found = place < len(self._leaves) and int(self._leaves[place]) == packed
        return int(self._rows[place]) if found else -1

    def _packed(self, prefix: Sequence[int]) -> int | None:
        packed = 0
        for token, lowest, size in zip(prefix, self._lowest, self._spread, strict=False):
            if not 0 <= token - lowest < size:
                return None
            packed = packed * size + token - lowest
        return packed


@dataclass(frozen=True)
class _Level:
    """One level of the tree.

    prefixes  int64 [p], ascending
    starts    int64 [p + 1]
    tokens    int32 [t]; those of prefix i stand at starts[i] .. starts[i + 1]
    """

    prefixes: IntArray
    starts: IntArray
    tokens: Tensor

    @staticmethod
    def of(packed: IntArray, size: int, lowest: int) -> _Level:
        """From each item's prefix with this level's token behind, packed, ascending."""
        children = packed[np.append(True, packed[1:] != packed[:-1])]
        prefixes, starts = np.unique(children // size, return_index=True)
        tokens = torch.from_numpy((children % size + lowest).astype(np.int32))
        return _Level(prefixes, np.append(starts, len(children)), tokens)

    @property
    def bytes(self) -> int:
        return self.prefixes.nbytes + self.starts.nbytes + self.tokens.nbytes

    def after(self, prefix: int) -> Tensor | None:
        place = int(self.prefixes.searchsorted(prefix))
        if place == len(self.prefixes) or int(self.prefixes[place]) != prefix:
            return None
        return self.tokens[int(self.starts[place]) : int(self.starts[place + 1])].long()
