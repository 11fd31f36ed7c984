"""Identifiers in ascending order, which is the order of a prefix tree's leaves."""

from __future__ import annotations

import numpy as np

from cart.prefix_tree.rows import BoolArray, IntArray


def ascending(identifiers: IntArray) -> IntArray:
    """Rows of identifiers [n, length] in ascending order of the first token, the second, ..."""
    words = packed(identifiers)
    return np.argsort(words[0]) if len(words) == 1 else np.lexsort(words[::-1])


def packed(identifiers: IntArray) -> list[IntArray]:
    """As few numbers [n] a row as hold its tokens, -1 or more, and sort as they do."""
    words: list[IntArray] = []
    room = 0
    for column in identifiers.T:
        size = int(column.max(initial=-1)) + 2
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
