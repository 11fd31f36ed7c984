"""A network that scores a text with the kept features of an item, and its first stage's vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from datasets.base import Item
from retrievers.base import FloatArray, IntArray
from retrievers.encoders.towers import Placement, Prepare, host
from retrievers.scorers.item_features import ItemFeatures


class PairMatcher:
    """Scores pairs by a matching head: a PairScorer.

    match    (features [pairs, ...], token numbers [pairs, length]) -> scores [pairs]
    at_once  pairs in memory
    """

    def __init__(
        self,
        match: Callable[[Tensor, Tensor], Tensor],
        features: ItemFeatures,
        tokens: Prepare[str],
        placement: Placement,
        at_once: int = 64,
    ) -> None:
        self._match = match
        self._features = features
        self._tokens = tokens
        self._placement = placement
        self._at_once = at_once
        self._gallery: list[bytes] = []

    def prepare(self, items: Sequence[Item]) -> None:
        """Encode the features that are not kept yet."""
        self._gallery = self._features.keep(items)

    def score(self, texts: Sequence[str], rows: IntArray) -> FloatArray:
        """Logits [texts, depth] of the gallery rows [texts, depth]; -inf where a row is -1."""
        queries, places = np.nonzero(rows >= 0)
        scores = np.full(rows.shape, -np.inf, np.float32)
        found = rows[queries, places]
        scores[queries, places] = self._pairs(texts, queries, self._gallery, found)
        return scores

    def score_texts(
        self, items: Sequence[Item], texts: Sequence[str], rows: IntArray
    ) -> FloatArray:
        """Logits [items, depth] of the texts whose rows [items, depth] are given."""
        queries, places = np.nonzero(rows >= 0)
        scores = np.full(rows.shape, -np.inf, np.float32)
        asked, which = np.unique(rows[queries, places], return_inverse=True)
        keys = self._features.keep(items)
        scores[queries, places] = self._pairs([texts[row] for row in asked], which, keys, queries)
        return scores

    def _pairs(
        self, texts: Sequence[str], of_texts: IntArray, keys: Sequence[bytes], of_items: IntArray
    ) -> FloatArray:
        """[pairs] of the texts and the items whose places are given, [pairs] each."""
        if not len(of_texts):
            return np.zeros(0, np.float32)
        tokens = torch.stack(list(self._tokens(texts)))
        parts = []
        with torch.inference_mode():
            for start in range(0, len(of_texts), self._at_once):
                here = slice(start, start + self._at_once)
                items, place = np.unique(of_items[here], return_inverse=True)
                features = self._placement.take(self._features.read([keys[one] for one in items]))
                chosen = torch.from_numpy(place).to(features.device)
                asked = self._placement.take(tokens[torch.from_numpy(of_texts[here])])
                parts.append(host(self._match(features[chosen], asked)))
        return np.concatenate(parts)


class FeatureTower:
    """The vectors of items, made of the features that the second stage needs as well.

    vectors  features [items, ...] -> ``token_rows`` of the items
    at_once  items in memory
    """

    def __init__(
        self,
        vectors: Callable[[Tensor], Tensor],
        features: ItemFeatures,
        fingerprint: str,
        placement: Placement,
        at_once: int = 64,
    ) -> None:
        self._vectors = vectors
        self._features = features
        self._placement = placement
        self._at_once = at_once
        self.fingerprint = f"{fingerprint}-{placement.precision}"

    def encode(self, things: Sequence[Item], /) -> FloatArray:
        """[items, numbers]. Raises MediaError, and CheckpointError where they are not finite."""
        parts = []
        keys = self._features.keep(things)
        with torch.inference_mode():
            for start in range(0, len(keys), self._at_once):
                features = self._features.read(keys[start : start + self._at_once])
                parts.append(host(self._vectors(self._placement.take(features))))
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
