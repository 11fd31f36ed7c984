"""BERT's encoder (Devlin et al. 2019), some of whose layers may look at features of an item.

Names follow the checkpoints of transformers, as the networks that were built on BERT keep them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPS = 1e-12


@dataclass(frozen=True)
class BertSizes:
    """Those of bert-base-uncased, unless told otherwise."""

    vocabulary: int = 30522
    positions: int = 512
    kinds: int = 2
    width: int = 768
    hidden: int = 3072
    layers: int = 12
    heads: int = 12


class BertEmbeddings(nn.Module):
    """Words, where they stand, and the kind of sentence, which is the first."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(sizes.vocabulary, sizes.width)
        self.position_embeddings = nn.Embedding(sizes.positions, sizes.width)
        self.token_type_embeddings = nn.Embedding(sizes.kinds, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """[texts, length, width] of numbers [texts, length]."""
        places = self.position_embeddings.weight[: tokens.shape[1]]
        kind = self.token_type_embeddings.weight[0]
        return self.LayerNorm(self.word_embeddings(tokens) + places + kind)


class _Projections(nn.Module):
    def __init__(self, width: int, seen: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(seen, width)
        self.value = nn.Linear(seen, width)


class _Residual(nn.Module):
    def __init__(self, width: int, into: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, into)
        self.LayerNorm = nn.LayerNorm(into, eps=_EPS)

    def forward(self, changed: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(changed) + before)


class _Attention(nn.Module):
    def __init__(self, width: int, seen: int, heads: int) -> None:
        super().__init__()
        self.self = _Projections(width, seen)
        self.output = _Residual(width, width)
        self._heads = heads

    def forward(self, texts: Tensor, seen: Tensor, mask: Tensor | None = None) -> Tensor:
        """[texts, length, width]; ``mask`` bool [texts, 1, 1, places], True where one may look."""
        asked, keys, values = (
            project(of).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for project, of in (
                (self.self.query, texts),
                (self.self.key, seen),
                (self.self.value, seen),
            )
        )
        found = F.scaled_dot_product_attention(asked, keys, values, attn_mask=mask)
        return self.output(found.transpose(1, 2).flatten(2), texts)


class _Intermediate(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, hidden)

    def forward(self, texts: Tensor) -> Tensor:
        return F.gelu(self.dense(texts))


class BertLayer(nn.Module):
    """One layer; with features of width ``seen`` it looks at those of an item too."""

    def __init__(self, sizes: BertSizes, seen: int = 0) -> None:
        super().__init__()
        self.attention = _Attention(sizes.width, sizes.width, sizes.heads)
        if seen:
            self.crossattention = _Attention(sizes.width, seen, sizes.heads)
        self.intermediate = _Intermediate(sizes.width, sizes.hidden)
        self.output = _Residual(sizes.hidden, sizes.width)

    def forward(self, texts: Tensor, mask: Tensor, features: Tensor | None = None) -> Tensor:
        texts = self.attention(texts, texts, mask)
        if features is not None:
            texts = self.crossattention(texts, features)
        return self.output(self.intermediate(texts), texts)


class _Layers(nn.Module):
    def __init__(self, layers: Iterable[BertLayer]) -> None:
        super().__init__()
        self.layer = nn.ModuleList(layers)


class Bert(nn.Module):
    """Texts in every layer but the last ones, which meet an item where ``fusing`` of them do.

    seen  width of the item's features
    """

    def __init__(self, sizes: BertSizes, fusing: int = 0, seen: int = 0) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(sizes)
        self._reading = sizes.layers - fusing
        self.encoder = _Layers(
            BertLayer(sizes, seen if layer >= self._reading else 0) for layer in range(sizes.layers)
        )

    def read(self, tokens: Tensor) -> Tensor:
        """[texts, length, width] of numbers [texts, length], 0 where a place is padding.

        What stands in a place of padding has no meaning.
        """
        texts, mask = self.embeddings(tokens), _mask(tokens)
        for layer in self.encoder.layer[: self._reading]:
            texts = layer(texts, mask)
        return texts

    def fuse(self, texts: Tensor, tokens: Tensor, features: Tensor) -> Tensor:
        """What was read, [pairs, length, width], having looked at [pairs, places, seen]."""
        mask = _mask(tokens)
        for layer in self.encoder.layer[self._reading :]:
            texts = layer(texts, mask, features)
        return texts


def _mask(tokens: Tensor) -> Tensor:
    return torch.ne(tokens, 0)[:, None, None, :]
