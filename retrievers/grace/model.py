"""The encoder-decoder that memorises items and retrieves them, and what it learns by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.config import ModelConfig
from cart.fusion import Memory
from cart.model import DecoderLayer, Encoded, EncoderLayer
from cart.targets import Targets
from retrievers.grace.tokens import IdentifierTokens


class GraceModel(nn.Module):
    """A query or an item's embedding in, an identifier out: one decoder writes for both.

    Stands in for OpenFlamingo, of which it keeps that a picture and a text are read by the same
    model. ``vocabulary`` is that of the queries, ``dim`` the width of the embeddings.
    """

    def __init__(
        self, config: ModelConfig, vocabulary: int, dim: int, written: IdentifierTokens
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.item = nn.Linear(dim, config.width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.memory = Memory(config)
        self.begin = nn.Parameter(torch.empty(config.width))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.width)
        self.drop = nn.Dropout(config.dropout)
        self.written = written
        for parameter in (self.tokens.weight, self.positions.weight, self.begin):
            nn.init.normal_(parameter, std=config.width**-0.5)

    def encode(self, ids: Tensor, mask: Tensor) -> Encoded:
        """Queries: ids int64 [batch, length], mask bool [batch, length]."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        return self._encoded(self.tokens(ids) + self.positions(positions), mask)

    def encode_items(self, embeddings: Tensor) -> Encoded:
        """Items [batch, dim], each a text of one token."""
        x = self.item(embeddings).unsqueeze(1)
        return self._encoded(x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device))

    def decode(self, encoded: Encoded, identifiers: Tensor) -> Tensor:
        """Last layer [batch, positions, width] under teacher forcing; identifiers int64
        [batch, positions], of which the last token is predicted and never read."""
        begin = self.begin.expand(len(identifiers), 1, -1)
        read = [
            self.embed(level, identifiers[:, level, None].clamp_min(0))
            for level in range(identifiers.shape[1] - 1)
        ]
        y = self.drop(torch.cat([begin, *read], dim=1))
        for layer, key, value in zip(self.decoder, encoded.keys, encoded.values, strict=True):
            y = layer(y, key, value, encoded.mask)
        return y

    def decoder_layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.decoder if isinstance(layer, DecoderLayer)]

    def embed(self, level: int, tokens: Tensor) -> Tensor:
        """What the decoder reads [..., width] after tokens [...] of the position ``level``."""
        return self.written.embed(level, tokens)

    def logits(self, level: int, y: Tensor) -> Tensor:
        """Of the tokens of ``level`` [..., vocabulary], from the last layer's y [..., width]."""
        return self.written.logits(level, self.norm(y))

    def _encoded(self, x: Tensor, mask: Tensor) -> Encoded:
        x = self.drop(x)
        layers = []
        for layer in self.encoder:
            x = layer(x, mask[:, None, None, :])
            layers.append(x)
        memory = self.memory(layers)
        projected = [layer.fusion.project(memory) for layer in self.decoder_layers()]
        keys, values = zip(*projected, strict=True)
        return Encoded(keys, values, mask[:, None, None, None, :])


def negative_log_likelihood(model: GraceModel, encoded: Encoded, identifiers: Tensor) -> Tensor:
    """Mean over all tokens of a batch's identifiers int64 [batch, positions], as a language
    model's; a negative token is not there."""
    y = model.decode(encoded, identifiers)
    there = identifiers >= 0
    total = y.new_zeros(())
    for level in range(identifiers.shape[1]):
        rows = there[:, level]
        logits = model.logits(level, y[rows, level]).float()
        total = total + F.cross_entropy(logits, identifiers[rows, level], reduction="sum")
    return total / there.sum()


@dataclass(frozen=True)
class Lessons:
    """Learning to retrieve, a batch of queries, and to memorise, ``memorised`` items at random.

    embeddings   [items, dim], training items and gallery
    identifiers  int64 [items, positions], theirs
    """

    model: GraceModel
    embeddings: Tensor
    identifiers: Tensor
    memorised: int

    def loss(self, ids: Tensor, mask: Tensor, targets: Targets) -> Tensor:
        """Of a batch: ids, mask [batch, length]; one identifier for each query."""
        wanted = targets.drawn()
        retrieving = negative_log_likelihood(self.model, self.model.encode(ids, mask), wanted)
        if not self.memorised:
            return retrieving
        drawn = torch.randint(len(self.embeddings), (self.memorised,)).to(wanted.device)
        encoded = self.model.encode_items(self.embeddings[drawn])
        return retrieving + negative_log_likelihood(self.model, encoded, self.identifiers[drawn])
