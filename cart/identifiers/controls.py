"""Identifiers without meaning: what a scheme must beat for its codes to be worth anything.

An item's codes hang on its embedding's bytes alone: the same embedding always has the same ones,
and one that is nearly the same has others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cart.identifiers.quantizers import FloatArray, IntArray

_WORD = 8


def drawn_numbers(embeddings: FloatArray, seed: int, count: int) -> npt.NDArray[np.uint64]:
    """Numbers [n, count], even over 64 bits, that embeddings [n, dim] and ``seed`` decide."""
    salt = seed.to_bytes(_WORD, "little", signed=True)
    rows = np.ascontiguousarray(embeddings, dtype=np.float32)
    told = b"".join(hashlib.shake_128(salt + row.tobytes()).digest(_WORD * count) for row in rows)
    return np.frombuffer(told, dtype="<u8").reshape(len(rows), count)


@dataclass(frozen=True)
class RandomCodes:
    """Codes that are drawn for each item, evenly over all prefixes."""

    code_sizes: tuple[int, ...]
    seed: int

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.code_sizes

    def codes(self, embeddings: FloatArray) -> IntArray:
        numbers = drawn_numbers(embeddings, self.seed, len(self.sizes))
        return (numbers % np.array(self.sizes, dtype=np.uint64)).astype(np.int64)

    def state(self) -> Mapping[str, Tensor]:
        return {"seed": torch.tensor(self.seed)}


@dataclass(frozen=True)
class ShuffledCodes:
    """Another scheme's code prefixes, dealt out to other items.

    The fitted items have each other's prefixes, each of them once. Any other item has that of a
    fitted item drawn by its embedding: as likely to be any one as it is common, though several
    items may draw the same, which lowers their collision ceiling.

    code_sizes  of the other scheme
    seed        of the drawing
    numbers     int64 [fitted], of the embeddings, ascending
    prefixes    int64 [fitted, positions], what each was dealt
    """

    code_sizes: tuple[int, ...]
    seed: int
    numbers: IntArray
    prefixes: IntArray

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.code_sizes

    def codes(self, embeddings: FloatArray) -> IntArray:
        drawn = drawn_numbers(embeddings, self.seed, 2)
        own = drawn[:, 0].astype(np.int64)
        places = np.searchsorted(self.numbers, own).clip(max=len(self.numbers) - 1)
        lent = (drawn[:, 1] % np.uint64(len(self.numbers))).astype(np.int64)
        return self.prefixes[np.where(self.numbers[places] == own, places, lent)]

    def state(self) -> Mapping[str, Tensor]:
        return {
            "seed": torch.tensor(self.seed),
            "numbers": torch.from_numpy(self.numbers),
            "prefixes": torch.from_numpy(self.prefixes),
        }


def deal_out(
    prefixes: IntArray, sizes: tuple[int, ...], embeddings: FloatArray, seed: int
) -> ShuffledCodes:
    """Give every one of ``embeddings`` [n, dim] the prefix [n, positions] of another.

    Of items with the same embedding the first stands for all.
    """
    numbers, first = np.unique(
        drawn_numbers(embeddings, seed, 2)[:, 0].astype(np.int64), return_index=True
    )
    circle = np.random.default_rng(seed).permutation(first)
    dealt = np.empty((len(prefixes), prefixes.shape[1]), dtype=np.int64)
    dealt[circle] = prefixes[np.roll(circle, 1)]
    return ShuffledCodes(sizes, seed, numbers, dealt[first])
