"""Identifiers in ascending order, which is the order of a prefix tree's leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cart.prefix_tree.children import ENDED
from cart.prefix_tree.rows import BoolArray, IntArray


def ascending(identifiers: IntArray) -> IntArray:
    """Rows of identifiers [n, length] in ascending order of the first token, the second, ..."""
    words = _packed(identifiers, _sizes(identifiers))
    return np.argsort(words[0]) if len(words) == 1 else np.lexsort(words[::-1])


def keys(*tables: IntArray) -> list[IntArray]:
    """A number [n] for each row of tables [n, length], whatever table it stands in.

    Rows of the same tokens have the same number, and numbers are in the order of the rows.
    """
    sizes = [max(column) for column in zip(*map(_sizes, tables), strict=True)]
    words = [_packed(table, sizes) for table in tables]
    if len(words[0]) == 1:
        return [word for (word,) in words]
    rows = np.concatenate([np.stack(word, axis=1) for word in words])
    _, ranks = np.unique(rows, axis=0, return_inverse=True)
    ends = np.cumsum([len(table) for table in tables])
    return np.split(ranks, ends[:-1])


def _sizes(identifiers: IntArray) -> list[int]:
    """How many values each position takes, ``ENDED`` among them."""
    return [int(column.max(initial=ENDED)) + 2 for column in identifiers.T]


def _packed(identifiers: IntArray, sizes: Sequence[int]) -> list[IntArray]:
    """As few numbers [n] a row as hold its tokens, and sort as they do."""
    words: list[IntArray] = []
    room = 0
    for column, size in zip(identifiers.T, sizes, strict=True):
        if room and room * size <= np.iinfo(np.int64).max:
            words[-1] *= size
            words[-1] += column
            words[-1] += 1
            room *= size
        else:
            words.append(np.add(column, 1, dtype=np.int64))
            room = size
    return words


def differing(identifiers: IntArray) -> BoolArray:
    """Whether each of ascending identifiers differs from the one before it in its first
    1, 2, ... tokens [length, n]. The first has none before it and counts as different.
    """
    rows, length = identifiers.shape
    differs = np.ones((length, rows), dtype=bool)
    for level in range(length):
        np.not_equal(identifiers[1:, level], identifiers[:-1, level], out=differs[level, 1:])
        if level:
            differs[level] |= differs[level - 1]
    return differs
