"""Towers that give several vectors a thing, as rows that the cache of embeddings can keep."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from datasets.base import Item
from retrievers.base import FloatArray, RetrieverSpec, Settings
from retrievers.embedding_cache import Tower
from retrievers.encoders.towers import TowerPair, kept_items
from retrievers.late_interaction import LateInteraction
from retrievers.token_index import Interaction, Tokens


def token_rows(vectors: Tensor, weights: Tensor) -> Tensor:
    """Rows [n, tokens * (dim + 1)] of vectors [n, tokens, dim] and weights [n, tokens].

    What the network of a tower must give: each vector with its weight behind it. Padding, where
    the weight is 0, is made zero.
    """
    weighed = weights.to(vectors.dtype)[:, :, None]
    return torch.cat([vectors.masked_fill(weighed == 0, 0), weighed], dim=2).flatten(1)


def tokens_of(rows: FloatArray, dim: int) -> Tokens:
    """The vectors and weights of ``token_rows``, of ``dim`` numbers a vector."""
    each = rows.reshape(len(rows), -1 if rows.size else 0, dim + 1)
    return Tokens(np.ascontiguousarray(each[:, :, :-1]), np.ascontiguousarray(each[:, :, -1]))


def token_pair(items: Tower[Item], texts: Tower[str], dim: int) -> TowerPair[Tokens]:
    """An encoder of two pretrained towers whose rows are ``token_rows``."""
    return TowerPair(items, texts, dim, partial(tokens_of, dim=dim))


def late_interaction(
    spec: RetrieverSpec,
    items: Tower[Item],
    texts: Tower[str],
    dim: int,
    interaction: Interaction,
    settings: Settings,
) -> LateInteraction:
    """The pair with exact search; vectors of items are kept under ``settings.cache``."""
    pair = token_pair(kept_items(spec, items, settings), texts, dim)
    return LateInteraction(spec, pair, interaction, settings.device)


def tiny_late_interaction(
    spec: RetrieverSpec,
    items: Tower[Item],
    texts: Tower[str],
    dim: int,
    interaction: Interaction,
) -> LateInteraction:
    """The pair with exact search, on the processor, with nothing kept."""
    return LateInteraction(spec, token_pair(items, texts, dim), interaction)
