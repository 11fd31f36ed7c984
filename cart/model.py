"""The encoder-decoder that writes identifiers (section 3.4, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.config import ModelConfig
from cart.fusion import Fusion, Memory, join_heads, split_heads


@dataclass(frozen=True)
class Encoded:
    """Encoded queries, ready for every decoder layer.

    keys, values  decoder layer -> [batch, memories, heads, length, head width]
    mask          bool [batch, 1, 1, 1, length]
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    mask: Tensor

    def some(self, queries: Tensor) -> Encoded:
        """The queries int64 [n] of them, in that order and as often."""
        return Encoded(
            tuple(key[queries] for key in self.keys),
            tuple(value[queries] for value in self.values),
            self.mask[queries],
        )

    def repeat(self, times: int) -> Encoded:
        """The same queries ``times`` over along the batch."""
        return Encoded(
            tuple(torch.cat([key] * times) for key in self.keys),
            tuple(torch.cat([value] * times) for value in self.values),
            torch.cat([self.mask] * times),
        )


class FeedForward(nn.Sequential):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__(
            nn.Linear(config.width, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, config.width),
        )


class SelfAttention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value [batch, heads, length, head width] of x [batch, length, width]."""
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        return split_heads(q, self.heads), split_heads(k, self.heads), split_heads(v, self.heads)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        attended = F.scaled_dot_product_attention(
            *self.project(x),
            attn_mask=mask,
            is_causal=causal,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(join_heads(attended))


class EncoderLayer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.feed_forward = FeedForward(config)
        self.norm_attention = nn.LayerNorm(config.width)
        self.norm_feed_forward = nn.LayerNorm(config.width)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm_attention(x), mask))
        return x + self.drop(self.feed_forward(self.norm_feed_forward(x)))


class DecoderLayer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.fusion = Fusion(config)
        self.feed_forward = FeedForward(config)
        self.norm_attention = nn.LayerNorm(config.width)
        self.norm_fusion = nn.LayerNorm(config.width)
        self.norm_feed_forward = nn.LayerNorm(config.width)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, y: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """All positions at once: y [batch, positions, width]."""
        y = y + self.drop(self.attention(self.norm_attention(y), causal=True))
        return self._read(y, key, value, mask)

    def step(
        self,
        y: Tensor,
        past: tuple[Tensor, Tensor] | None,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One position of every beam: y [batch, beams, width].

        ``past`` holds the keys and values [batch, beams, positions, heads, head width] of the
        beams' earlier positions; they come back with this one's added.
        """
        heads = self.attention.heads
        q, k, v = (
            part.unflatten(-1, (heads, -1))
            for part in self.attention.query_key_value(self.norm_attention(y)).chunk(3, dim=-1)
        )
        k, v = k.unsqueeze(2), v.unsqueeze(2)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        attended = F.scaled_dot_product_attention(
            q.unsqueeze(-2), k.transpose(2, 3), v.transpose(2, 3)
        )
        y = y + self.attention.output(attended.flatten(-3))
        return self._read(y, key, value, mask), (k, v)

    def _read(self, y: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        y = y + self.drop(self.fusion(self.norm_fusion(y), key, value, mask))
        return y + self.drop(self.feed_forward(self.norm_feed_forward(y)))


class CartModel(nn.Module):
    """Text tokens in, one distribution over each identifier position out.

    ``levels`` are the vocabularies of the positions: K, V_1 .. V_M and the counter's. Every
    position has a vocabulary of its own, in the embedding and in the head; ``begin`` stands for
    the start of an identifier.
    """

    def __init__(self, config: ModelConfig, vocabulary: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(vocabulary, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.memory = Memory(config)
        self.begin = nn.Parameter(torch.zeros(config.width))
        self.codes = nn.ModuleList(nn.Embedding(size, config.width) for size in levels[:-1])
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.width)
        self.heads = nn.ModuleList(nn.Linear(config.width, size) for size in levels)
        self.levels = list(levels)
        self.drop = nn.Dropout(config.dropout)
        self.apply(_xavier)
        nn.init.normal_(self.begin, std=config.width**-0.5)

    def encode(self, ids: Tensor, mask: Tensor) -> Encoded:
        """Encode queries: ids int64 [batch, length], mask bool [batch, length]."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.drop(self.tokens(ids) + self.positions(positions))
        layers = []
        for layer in self.encoder:
            x = layer(x, mask[:, None, None, :])
            layers.append(x)
        memory = self.memory(layers)
        projected = [layer.fusion.project(memory) for layer in self.decoder_layers()]
        keys, values = zip(*projected, strict=True)
        return Encoded(keys, values, mask[:, None, None, None, :])

    def decode(self, encoded: Encoded, identifiers: Tensor) -> list[Tensor]:
        """Logits [batch, vocabulary] of each position under teacher forcing (equation 6).

        identifiers int64 [batch, length]; its last token is predicted, never read. The logits are
        fp32, also where layers compute in fewer bits.
        """
        begin = self.begin.expand(len(identifiers), 1, -1)
        codes = [table(identifiers[:, level, None]) for level, table in enumerate(self.codes)]
        y = self.drop(torch.cat([begin, *codes], dim=1))
        for layer, key, value in zip(self.decoder, encoded.keys, encoded.values, strict=True):
            y = layer(y, key, value, encoded.mask)
        y = self.norm(y)
        return [head(y[:, level]).float() for level, head in enumerate(self.heads)]

    def embed(self, level: int, tokens: Tensor) -> Tensor:
        """What the decoder reads [..., width] after tokens [...] of the position ``level``."""
        return self.codes[level](tokens)

    def logits(self, level: int, y: Tensor) -> Tensor:
        """Of the tokens of ``level`` [..., vocabulary], from the last layer's y [..., width]."""
        return self.heads[level](self.norm(y))

    def decoder_layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.decoder if isinstance(layer, DecoderLayer)]

    def reserve_unique(self, size: int) -> None:
        """Make room for counters below ``size``; what was learned of the others stays."""
        old = self.heads[-1]
        if size <= self.levels[-1] or not isinstance(old, nn.Linear):
            return
        wider = nn.Linear(self.config.width, size).to(old.weight)
        nn.init.xavier_uniform_(wider.weight)
        nn.init.zeros_(wider.bias)
        with torch.no_grad():
            wider.weight[: old.out_features] = old.weight
            wider.bias[: old.out_features] = old.bias
        self.heads[-1] = wider
        self.levels[-1] = size


def _xavier(module: nn.Module) -> None:
    """Appendix C: all parameters from Xavier's uniform distribution."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
