"""Captions that an item borrows from its nearest training items; needs no weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cart.captions.pairs import Captioned, FloatArray, Generated
from cart.config import CaptionConfig


@dataclass(frozen=True)
class NeighbourCaptioner:
    """Lends an item the captions of its nearest training items; needs no weights.

    It holds training captions only, so whatever it lends is known to training anyway. With
    caption vectors the neighbours' captions that lie nearest to the item itself are lent;
    without them the nearest neighbour's captions come first.
    """

    train: Captioned
    config: CaptionConfig

    def captions(self, embeddings: FloatArray) -> Generated:
        """What is lent to each item of embeddings [items, dim]."""
        owned: list[list[int]] = [[] for _ in range(len(self.train.embeddings))]
        for caption, row in enumerate(self.train.rows):
            owned[row].append(caption)
        candidates = unit(self.train.embeddings)
        lenders = self.config.lenders(len(candidates))
        lent: list[list[str]] = []
        for chunk in np.array_split(embeddings, max(1, len(embeddings) // 1024)):
            similar = unit(chunk) @ candidates.T
            for item, row in zip(chunk, similar, strict=True):
                nearest = np.argsort(-row, kind="stable")[:lenders]
                lent.append(self._best(item, [c for n in nearest for c in owned[n]]))
        return Generated(lent, "neighbours")

    def _best(self, item: FloatArray, candidates: list[int]) -> list[str]:
        vectors = self.train.caption_vectors
        if vectors is not None:
            closeness = unit(vectors[candidates]) @ item
            candidates = [candidates[i] for i in np.argsort(-closeness, kind="stable")]
        different = dict.fromkeys(self.train.captions[c] for c in candidates)
        return list(different)[: self.config.captions_per_item]


def unit(x: FloatArray) -> FloatArray:
    """Rows of x [n, dim] at length one; a row of zeros stays."""
    scaled: FloatArray = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return scaled
