"""What an index is built from and asked with: vectors in memory or in a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from datasets.candidates.drawn import Say
from retrievers.base import FloatArray, check_depth

BLOCK = 1 << 16
SMALLEST = 64


class Vectors(Protocol):
    """Rows too many to hold, as ``datasets.candidates.CandidateSet``; they can be read again."""

    @property
    def count(self) -> int: ...

    @property
    def dim(self) -> int: ...

    def blocks(self, rows: int = BLOCK) -> Iterator[FloatArray]:
        """[at most rows, dim] in turn."""
        ...


@dataclass(frozen=True)
class Held:
    """Rows that are in memory or mapped into it: array [count, dim]."""

    array: FloatArray

    @property
    def count(self) -> int:
        return len(self.array)

    @property
    def dim(self) -> int:
        return self.array.shape[1]

    def blocks(self, rows: int = BLOCK) -> Iterator[FloatArray]:
        for start in range(0, len(self.array), rows):
            yield contiguous(self.array[start : start + rows])


def sample(vectors: Vectors, wanted: int) -> FloatArray:
    """[at most wanted, dim] rows at equal distances, copied."""
    step = max(1, -(-vectors.count // max(1, wanted)))
    taken, start = [], 0
    for block in vectors.blocks():
        taken.append(block[-start % step :: step].copy())
        start += len(block)
    return np.concatenate([np.empty((0, vectors.dim), np.float32), *taken])


def fill(index: Any, vectors: Vectors, say: Say) -> None:
    """Add the vectors to a trained index of FAISS. Raises ValueError unless all are finite."""
    done = 0
    for block in vectors.blocks():
        check_vectors(block, "vectors", first=done)
        index.add(contiguous(block))
        done += len(block)
        say("filling the index", done, vectors.count)


def contiguous(rows: FloatArray) -> FloatArray:
    return np.ascontiguousarray(rows, dtype=np.float32)


def check_vectors(vectors: FloatArray, what: str, first: int = 0) -> None:
    """Raises ValueError unless this is a matrix of finite numbers; ``first`` is its first row."""
    if vectors.ndim != 2:
        raise ValueError(f"{what} must be a matrix [rows, dim], not of shape {vectors.shape}")
    # Block by block, so that vectors mapped from a file are read once. A number that is not
    # finite shows in one of these, which need no array of their own.
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        if not np.isfinite([block.min(initial=0), block.max(initial=0)]).all():
            bad = int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise ValueError(f"{what} must be finite; row {first + start + bad} is not")


def check_enough(vectors: Vectors) -> None:
    """Raises ValueError where they are too few to be searched in part."""
    if vectors.count < SMALLEST:
        raise ValueError(
            f"an approximate index needs at least {SMALLEST} vectors, not {vectors.count}: "
            "so few are compared exactly"
        )


def check_search(queries: FloatArray, k: int, dim: int) -> None:
    """Raises ValueError where an index of this width cannot be asked so."""
    check_depth(k)
    check_vectors(queries, "queries")
    if queries.shape[1] != dim:
        raise ValueError(f"the queries have {queries.shape[1]} dimensions, the index has {dim}")
