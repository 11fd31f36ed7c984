"""A gallery's items on a plane, by t-SNE."""

from __future__ import annotations

import numpy as np

from bench.item_map import IntArray, NoMap, Points
from retrievers.base import ItemMap

MOST_ITEMS = 2_000
LEAST_ITEMS = 5
PERPLEXITY = 30.0


def drawn(gallery: int, seed: int, most: int = MOST_ITEMS) -> IntArray:
    """Rows of a gallery of so many items, ascending: all, or ``most`` of them drawn by ``seed``."""
    return np.sort(np.random.default_rng(seed).permutation(gallery)[:most])


def project(found: ItemMap, seed: int, most: int = MOST_ITEMS) -> Points:
    """Lay the items, or those that ``drawn`` gives of many, on a plane.

    It is started from their first two principal components. Raises NoMap for fewer than
    ``LEAST_ITEMS``, and for embeddings that are not finite.
    """
    gallery = len(found.embeddings)
    if gallery < LEAST_ITEMS:
        raise NoMap(f"a map wants {LEAST_ITEMS} items, the gallery has {gallery}")
    if not np.isfinite(found.embeddings).all():
        raise NoMap("the embeddings hold a number that is not finite")
    rows = drawn(gallery, seed, most)
    lengths = np.linalg.norm(found.embeddings[rows], axis=1, keepdims=True)
    embeddings = (found.embeddings[rows] / np.maximum(lengths, 1e-12)).astype(np.float32)
    # It takes longer to load than a small cell takes to compute.
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    plane = TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(embeddings)
    return Points(embeddings, found.prefixes[rows], plane.astype(np.float32), gallery)
