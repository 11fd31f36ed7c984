"""QLLaMA: a Llama whose learned queries look at a picture through every second layer.

Names of the parameters follow the public release of InternVL 1.0 (Chen et al., CVPR 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ROTARY_BASE = 10_000.0


@dataclass(frozen=True)
class QLlamaConfig:
    """Sizes of the language model.

    looked_at  width of the picture's vectors that the queries look at
    queries    how many there are
    look_every  a layer in so many, from the first on, lets them look
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    hidden: int
    looked_at: int
    queries: int
    look_every: int
    eps: float


class QLlama(nn.Module):
    """Llama that reads texts from left to right, and queries of a picture all at once."""

    def __init__(self, config: QLlamaConfig) -> None:
        super().__init__()
        self.head_width = config.width // config.heads
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(
            _Layer(config, looks=number % config.look_every == 0) for number in range(config.layers)
        )
        self.norm = nn.RMSNorm(config.width, config.eps)

    def read(self, tokens: Tensor) -> Tensor:
        """[texts, width] of tokens [texts, length]: what stands at each text's last token.

        Rows are filled up behind with 0, which no token sees, being to its right.
        """
        last = (tokens > 0).sum(dim=1) - 1
        states = self.embed_tokens(tokens[:, : int(last.max()) + 1])
        rotation = _rotation(states.shape[1], self.head_width, states)
        for layer in self.layers:
            states = layer(states, rotation, picture=None)
        return self.norm(states[torch.arange(len(tokens), device=tokens.device), last])

    def look(self, queries: Tensor, picture: Tensor) -> Tensor:
        """[pictures, queries, width] of the queries, at vectors [pictures, patches, looked_at]."""
        rotation = _rotation(queries.shape[1], self.head_width, queries)
        for layer in self.layers:
            queries = layer(queries, rotation, picture)
        return self.norm(queries)


class _Layer(nn.Module):
    def __init__(self, config: QLlamaConfig, looks: bool) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.width, config.eps)
        self.self_attn = _SelfAttention(config.width, config.heads)
        self.cross_attn = _CrossAttention(config) if looks else None
        self.post_attention_layernorm = nn.RMSNorm(config.width, config.eps)
        self.mlp = _GatedMlp(config.width, config.hidden)

    def forward(
        self, states: Tensor, rotation: tuple[Tensor, Tensor], picture: Tensor | None
    ) -> Tensor:
        causal = picture is None
        states = states + self.self_attn(self.input_layernorm(states), rotation, causal)
        if self.cross_attn is not None and picture is not None:
            states = states + self.cross_attn(states, picture)
        return states + self.mlp(self.post_attention_layernorm(states))


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, states: Tensor, rotation: tuple[Tensor, Tensor], causal: bool) -> Tensor:
        query, key, value = (
            by_head(one(states), self.heads) for one in (self.q_proj, self.k_proj, self.v_proj)
        )
        found = F.scaled_dot_product_attention(
            _rotated(query, rotation), _rotated(key, rotation), value, is_causal=causal
        )
        return self.o_proj(found.transpose(1, 2).flatten(2))


class _CrossAttention(nn.Module):
    def __init__(self, config: QLlamaConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm1 = nn.RMSNorm(config.width, config.eps)
        self.norm2 = nn.RMSNorm(config.looked_at, config.eps)
        self.q_proj = nn.Linear(config.width, config.width, bias=False)
        self.k_proj = nn.Linear(config.looked_at, config.width, bias=False)
        self.v_proj = nn.Linear(config.looked_at, config.width, bias=False)
        self.o_proj = nn.Linear(config.width, config.width, bias=False)

    def forward(self, queries: Tensor, picture: Tensor) -> Tensor:
        seen = self.norm2(picture)
        query = by_head(self.q_proj(self.norm1(queries)), self.heads)
        key, value = by_head(self.k_proj(seen), self.heads), by_head(self.v_proj(seen), self.heads)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.o_proj(found.transpose(1, 2).flatten(2))


class _GatedMlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(states)) * self.up_proj(states))


def by_head(states: Tensor, heads: int) -> Tensor:
    """[batch, heads, length, width / heads] of states [batch, length, width]."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _rotation(length: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [length, width] by which positions are turned, reckoned in float32."""
    steps = torch.arange(0, width, 2, device=like.device, dtype=torch.float32)
    positions = torch.arange(length, device=like.device, dtype=torch.float32)
    angles = torch.outer(positions, 1 / _ROTARY_BASE ** (steps / width)).repeat(1, 2)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _rotated(states: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cosines, sines = rotation
    first, second = states.chunk(2, dim=-1)
    return states * cosines + torch.cat([-second, first], dim=-1) * sines
