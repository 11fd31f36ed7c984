"""Towers that give several vectors a thing, as rows that the cache of embeddings can keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.base import Item, Pairs
from retrievers.base import FloatArray, RetrieverSpec, Settings
from retrievers.embedding_cache import CachedTower, Tower, item_key
from retrievers.encoders.towers import BATCH, check_fingerprint, write_fingerprint
from retrievers.late_interaction import LateInteraction
from retrievers.token_index import Interaction, Tokens


def token_rows(vectors: Tensor, weights: Tensor) -> Tensor:
    """Rows [n, tokens * (dim + 1)] of vectors [n, tokens, dim] and weights [n, tokens].

    What the network of a tower must give: each vector with its weight behind it. Padding, where
    the weight is 0, is made zero.
    """
    weighed = weights.to(vectors.dtype)[:, :, None]
    return torch.cat([vectors.masked_fill(weighed == 0, 0), weighed], dim=2).flatten(1)


class TokenTowers:
    """An encoder of two pretrained towers whose rows are ``token_rows``; nothing is learned."""

    def __init__(self, items: Tower[Item], texts: Tower[str], dim: int) -> None:
        self._items = items
        self._texts = texts
        self._dim = dim

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def fingerprint(self) -> str:
        return f"{self._items.fingerprint}+{self._texts.fingerprint}"

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def encode_items(self, items: Sequence[Item]) -> Tokens:
        return self._tokens(self._items.encode(items)) if items else self._nothing()

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        return self._tokens(self._texts.encode(texts)) if texts else self._nothing()

    def save(self, folder: Path) -> None:
        """Write which towers these are; the weights stay where they are."""
        write_fingerprint(folder, self.fingerprint)

    def load(self, folder: Path) -> None:
        """Raises ValueError where other towers wrote ``folder``."""
        check_fingerprint(folder, self.fingerprint)

    def _tokens(self, rows: FloatArray) -> Tokens:
        each = rows.reshape(len(rows), -1, self._dim + 1)
        return Tokens(np.ascontiguousarray(each[:, :, :-1]), np.ascontiguousarray(each[:, :, -1]))

    def _nothing(self) -> Tokens:
        return Tokens(np.zeros((0, 0, self._dim), np.float32), np.zeros((0, 0), np.float32))


def late_interaction(
    spec: RetrieverSpec,
    items: Tower[Item],
    texts: Tower[str],
    dim: int,
    interaction: Interaction,
    settings: Settings,
) -> LateInteraction:
    """The pair with exact search; vectors of items are kept under ``settings.cache``."""
    kept = CachedTower(
        items, item_key, settings.cache / "embeddings", f"{spec.name}: encoding items", batch=BATCH
    )
    return LateInteraction(spec, TokenTowers(kept, texts, dim), interaction, settings.device)


def tiny_late_interaction(
    spec: RetrieverSpec,
    items: Tower[Item],
    texts: Tower[str],
    dim: int,
    interaction: Interaction,
) -> LateInteraction:
    """The pair with exact search, on the processor, with nothing kept."""
    return LateInteraction(spec, TokenTowers(items, texts, dim), interaction)
