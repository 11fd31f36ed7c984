"""The counter token u, which makes an identifier of a code prefix; section 3.2.3."""

from __future__ import annotations

import numpy as np

from cart.identifiers.quantizers import IntArray
from cart.prefix_tree.ordering import keys


def unique_tokens(prefixes: IntArray, taken: IntArray | None = None) -> IntArray:
    """The counter token u of each row of prefixes [n, length]; section 3.2.3.

    A prefix's first item gets 0, the next 1, and so on, in row order. ``taken`` [m, length + 1]
    are identifiers already given out: counting goes on behind the highest of each prefix.
    """
    if not len(prefixes):
        return np.empty(0, dtype=np.int64)
    if taken is None:
        taken = np.empty((0, prefixes.shape[1] + 1), dtype=np.int64)
    own, given = keys(prefixes, taken[:, :-1])
    order = np.argsort(own, kind="stable")
    ranked = own[order]
    first = run_starts(ranked)
    distinct = ranked[first]
    begin = np.zeros(len(distinct), dtype=np.int64)
    again = np.isin(given, distinct)
    places = np.searchsorted(distinct, given[again])
    np.maximum.at(begin, places, taken[again, -1] + 1)
    tokens = np.empty(len(prefixes), dtype=np.int64)
    runs = np.diff(first, append=len(ranked))
    tokens[order] = np.arange(len(prefixes)) + np.repeat(begin - first, runs)
    return tokens


def identifiers(prefixes: IntArray, taken: IntArray | None = None) -> IntArray:
    """Identifiers [n, length + 1]: code prefixes with their counter tokens."""
    return np.concatenate([prefixes, unique_tokens(prefixes, taken)[:, None]], axis=1)


def run_starts(ascending: IntArray) -> IntArray:
    """Where each distinct value of ascending ones [n] begins."""
    return np.flatnonzero(np.diff(ascending, prepend=ascending[:1] - 1))
