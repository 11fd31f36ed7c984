"""Caption enhancement: queries for items that have no caption of their own (section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cart.config import CaptionConfig

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Captioned:
    """Items with human captions: ``captions[i]`` is of the item at ``rows[i]``.

    embeddings       [items, dim]
    caption_vectors  [captions, dim] in the items' space, or None where there is no text tower
    """

    embeddings: FloatArray
    captions: Sequence[str]
    rows: Sequence[int]
    caption_vectors: FloatArray | None = None


class Captioner(Protocol):
    """Makes queries for items of which only the embedding is known."""

    def captions(self, embeddings: FloatArray) -> list[list[str]]:
        """Captions of each item of embeddings [items, dim], best first."""
        ...


@dataclass(frozen=True)
class NeighbourCaptioner:
    """Lends an item the captions of its nearest training items; needs no weights.

    It holds training captions only, so whatever it lends is known to training anyway. With
    caption vectors the neighbours' captions that lie nearest to the item itself are lent;
    without them the nearest neighbour's captions come first.
    """

    train: Captioned
    config: CaptionConfig

    def captions(self, embeddings: FloatArray) -> list[list[str]]:
        owned: list[list[int]] = [[] for _ in range(len(self.train.embeddings))]
        for caption, row in enumerate(self.train.rows):
            owned[row].append(caption)
        candidates = _unit(self.train.embeddings)
        lenders = self.config.lenders(len(candidates))
        lent = []
        for chunk in np.array_split(embeddings, max(1, len(embeddings) // 1024)):
            similar = _unit(chunk) @ candidates.T
            for item, row in zip(chunk, similar, strict=True):
                nearest = np.argsort(-row, kind="stable")[:lenders]
                lent.append(self._best(item, [c for n in nearest for c in owned[n]]))
        return lent

    def _best(self, item: FloatArray, candidates: list[int]) -> list[str]:
        vectors = self.train.caption_vectors
        if vectors is not None:
            closeness = _unit(vectors[candidates]) @ item
            candidates = [candidates[i] for i in np.argsort(-closeness, kind="stable")]
        different = dict.fromkeys(self.train.captions[c] for c in candidates)
        return list(different)[: self.config.captions_per_item]


def _unit(x: FloatArray) -> FloatArray:
    unit: FloatArray = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return unit
