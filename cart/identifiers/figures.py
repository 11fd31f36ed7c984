"""How well codes are used, how far they tell items apart, and how much they keep of them."""

from __future__ import annotations

import numpy as np

from cart.identifiers.counters import run_starts
from cart.identifiers.quantizers import BLOCK, FloatArray, IntArray, Quantizers, Rebuilding
from cart.prefix_tree.ordering import keys


def items_by_prefix(prefixes: IntArray) -> IntArray:
    """How many items have each of the code prefixes in use [distinct prefixes]."""
    (numbers,) = keys(prefixes)
    numbers.sort()
    return np.diff(run_starts(numbers), append=len(numbers))


def collision_ceiling(prefixes: IntArray) -> float:
    """Share of the items whose code prefix is theirs alone.

    The counter token carries no meaning, so no more than these can be told apart by content.
    """
    return float((items_by_prefix(prefixes) == 1).sum() / len(prefixes))


def collision_rate(prefixes: IntArray) -> float:
    """Share of the items that would have to go for all code prefixes to differ, as LC-Rec counts
    collisions (arXiv 2311.09049)."""
    return 1 - len(items_by_prefix(prefixes)) / len(prefixes)


def perplexity(codes: IntArray, size: int) -> float:
    """exp(entropy) of one level's codes [n]: how many of ``size`` entries are really in use."""
    share = np.bincount(codes, minlength=size) / len(codes)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def used_share(codes: IntArray, size: int) -> float:
    """Share of ``size`` entries that any of one level's codes [n] is."""
    return len(np.unique(codes)) / size


def unexplained_variance(
    quantizers: Quantizers, embeddings: FloatArray, prefixes: IntArray
) -> float | None:
    """Mean squared error of embeddings [n, dim] rebuilt from their code prefixes [n, positions],
    as a share of their variance: 0 keeps all, 1 no more than their mean.

    None where codes stand for no place among the embeddings.
    """
    if not isinstance(quantizers, Rebuilding):
        return None
    mean = embeddings.mean(axis=0)
    error = variance = 0.0
    for start in range(0, len(embeddings), BLOCK):
        part = embeddings[start : start + BLOCK]
        error += float(np.square(part - quantizers.rebuilt(prefixes[start : start + BLOCK])).sum())
        variance += float(np.square(part - mean).sum())
    return error / max(variance, 1e-12)
