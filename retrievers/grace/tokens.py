"""The tokens that identifiers are written in: how the decoder reads and chooses each kind."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LevelTokens(nn.Module):
    """Structured identifiers: every position has tokens of its own, as GRACE adds them.

    ``sizes`` are the tokens of each position.
    """

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes[:-1])
        self.heads = nn.ModuleList(nn.Linear(width, size) for size in sizes)
        for table in self.tables.parameters():
            nn.init.normal_(table, std=width**-0.5)

    def embed(self, level: int, tokens: Tensor) -> Tensor:
        return self.tables[level](tokens)

    def logits(self, level: int, y: Tensor) -> Tensor:
        return self.heads[level](y)


class WordTokens(nn.Module):
    """Semantic identifiers: the same words, and the numbers behind them, at every position.

    ``sizes`` are the tokens and the longest identifier. As in a language model, a word is read
    and chosen by the same vector.
    """

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        vocabulary, longest = self.sizes = tuple(sizes)
        self.table = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(longest, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.table.weight, std=width**-0.5)
        nn.init.normal_(self.places.weight, std=width**-0.5)

    def embed(self, level: int, tokens: Tensor) -> Tensor:
        return self.table(tokens) + self.places.weight[level]

    def logits(self, level: int, y: Tensor) -> Tensor:
        return F.linear(y, self.table.weight, self.bias)


class ItemTokens(nn.Module):
    """Atomic identifiers: a token an item, chosen by a linear map onto the frozen embeddings.

    ``sizes`` are the items and the width of their embeddings.
    """

    matrix: Tensor

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        items, dim = self.sizes = tuple(sizes)
        self.map = nn.Linear(width, dim)
        self.register_buffer("matrix", torch.zeros(items, dim))

    def embed(self, level: int, tokens: Tensor) -> Tensor:
        raise ValueError("an atomic identifier is one token: nothing is written after it")

    def logits(self, level: int, y: Tensor) -> Tensor:
        return self.map(y) @ self.matrix.T


IdentifierTokens = LevelTokens | WordTokens | ItemTokens
