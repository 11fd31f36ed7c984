"""Giving items their code prefixes: together, one after the other, and in a stream."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cart.config import Assignment
from cart.identifiers.quantizers import FloatArray, IntArray, LastCodebook, Quantizers
from cart.identifiers.sinkhorn import spread


def assign_together(
    quantizers: Quantizers, embeddings: FloatArray, assignment: Assignment
) -> IntArray:
    """Code prefixes [n, positions] of items [n, dim] that are given theirs at the same time.

    An item that joins later takes its nearest codes, ``quantizers.codes``, whatever the assignment
    of those there. Without a last codebook there is nothing to spread over, and it is the nearest
    too.
    """
    if assignment == "sinkhorn" and isinstance(quantizers, LastCodebook):
        return spread(quantizers, embeddings)
    return quantizers.codes(embeddings)


def assign(quantizers: Quantizers, blocks: Iterable[FloatArray]) -> IntArray:
    """Code prefixes [n, positions] of embeddings that come in blocks [rows, dim].

    One block is held at a time, and its codes in the smallest integers.
    """
    small = np.min_scalar_type(max(quantizers.sizes) - 1)
    found = [quantizers.codes(block).astype(small) for block in blocks]
    empty = np.empty((0, len(quantizers.sizes)), dtype=small)
    return np.concatenate([empty, *found]).astype(np.int64)
