"""CART's text encoder under a linear head, and the contrastive loss that it learns by."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.config import ModelConfig
from cart.model import EncoderLayer
from cart.targets import Targets

# 1 / temperature, where CLIP starts and where it stops (Radford et al., 2021, section 2.5).
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0


class TextTower(nn.Module):
    """Text tokens in, a point of the items' space out.

    Layers of CART's encoder, as many as CART has in encoder and decoder together, so that the
    parameters are near each other too; then the mean over the tokens and a linear head.
    """

    def __init__(self, config: ModelConfig, vocabulary: int, dim: int) -> None:
        super().__init__()
        layers = config.encoder_layers + config.decoder_layers
        self.tokens = nn.Embedding(vocabulary, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, dim)
        self.drop = nn.Dropout(config.dropout)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
        for matrix in (one for one in self.parameters() if one.ndim == 2):
            nn.init.xavier_uniform_(matrix)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors [batch, dim] of ids int64 [batch, length], mask bool [batch, length]."""
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.drop(self.tokens(ids) + self.positions(places))
        for layer in self.encoder:
            x = layer(x, mask[:, None, None, :])
        there = mask.unsqueeze(-1)
        mean = (self.norm(x) * there).sum(dim=1) / there.sum(dim=1)
        return F.normalize(self.head(mean).float(), dim=-1)

    @property
    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)


def contrastive(texts: Tensor, items: Tensor, targets: Targets, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE of texts [batch, dim], a batch's mean.

    ``targets`` are rows of items [items, dim], as identifiers of one token. A text tells its item,
    or its candidates, from all items, as CART tells its identifier from all others; an item, drawn
    from the candidates, tells its text from those of other items in the batch.
    """
    similar = scale * texts @ items.T
    drawn = targets.drawn()
    rows = drawn[:, 0]
    to_item = F.cross_entropy(
        similar, rows if targets.sure else targets.following(drawn, 0, len(items))
    )
    own = similar[:, rows].T
    same = rows[:, None] == rows[None, :]
    others = same & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    to_text = F.cross_entropy(
        own.masked_fill(others, -torch.inf), torch.arange(len(rows), device=rows.device)
    )
    return (to_item + to_text) / 2
