"""The network of InternVL-G: InternViT, QLLaMA and the two ways to pool a picture.

Names of the parameters follow the public release (Chen et al., CVPR 2024), but for the biases of
the pooling and the wrapper that transformers puts around a Llama.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrievers.encoders.qllama import QLlama, QLlamaConfig, by_head

_POOLING_EPS = 1e-5
_LAYER_SCALE = 0.1
_SMALL = 0.02


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of InternViT; ``side`` and ``patch`` in pixels."""

    side: int
    patch: int
    width: int
    layers: int
    heads: int
    hidden: int
    eps: float


@dataclass(frozen=True)
class InternVLConfig:
    """Sizes of both parts, of the pooling and of the vectors that are compared."""

    vision: VisionConfig
    language: QLlamaConfig
    pool_heads: int
    dim: int


class InternVL(nn.Module):
    """Pictures and texts to vectors of one space, the "G" way."""

    def __init__(self, config: InternVLConfig) -> None:
        super().__init__()
        language = config.language
        self.vision_model = InternViT(config.vision)
        self.qllama = QLlama(language)
        self.query_tokens = nn.Parameter(_SMALL * torch.randn(1, language.queries, language.width))
        self.text_projection = nn.Parameter(_SMALL * torch.randn(language.width, config.dim))
        self.clip_projector = AttentionPooling(config.vision.width, config.pool_heads, config.dim)
        self.clip_projector2 = AttentionPooling(language.width, config.pool_heads, config.dim)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """[pictures, dim] of pixels [pictures, 3, side, side].

        The sum of two directions: what InternViT saw, and what the queries of QLLaMA found in it.
        """
        picture = self.vision_model(pixels)
        queries = self.query_tokens.expand(len(pixels), -1, -1)
        found = self.qllama.look(queries, picture)
        seen = F.normalize(self.clip_projector(picture), dim=1)
        return seen + F.normalize(self.clip_projector2(found), dim=1)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """[texts, dim] of tokens [texts, length], filled up behind with 0."""
        return self.qllama.read(tokens) @ self.text_projection


class InternViT(nn.Module):
    """A vision transformer with normalised queries and keys and scaled residuals."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = _Patches(config)
        self.layers = nn.ModuleList(_VisionLayer(config) for _ in range(config.layers))

    def forward(self, pixels: Tensor) -> Tensor:
        """[pictures, 1 + patches, width]; nothing is normalised at the end."""
        states = self.embeddings(pixels)
        for layer in self.layers:
            states = layer(states)
        return states


class _Patches(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        positions = 1 + (config.side // config.patch) ** 2
        self.class_embedding = nn.Parameter(_SMALL * torch.randn(1, 1, config.width))
        self.patch_embedding = nn.Conv2d(3, config.width, config.patch, config.patch)
        self.position_embedding = nn.Parameter(_SMALL * torch.randn(1, positions, config.width))

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        whole = self.class_embedding.expand(len(pixels), -1, -1)
        return torch.cat([whole, patches], dim=1) + self.position_embedding


class _VisionLayer(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(config.width, config.eps)
        self.attn = _VisionAttention(config)
        self.ls1 = nn.Parameter(torch.full((config.width,), _LAYER_SCALE))
        self.norm2 = nn.RMSNorm(config.width, config.eps)
        self.mlp = _VisionMlp(config)
        self.ls2 = nn.Parameter(torch.full((config.width,), _LAYER_SCALE))

    def forward(self, states: Tensor) -> Tensor:
        states = states + self.attn(self.norm1(states)) * self.ls1
        return states + self.mlp(self.norm2(states)) * self.ls2


class _VisionAttention(nn.Module):
    """Queries and keys are normalised over all heads together."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.q_norm = nn.RMSNorm(config.width, config.eps)
        self.k_norm = nn.RMSNorm(config.width, config.eps)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, states: Tensor) -> Tensor:
        query, key, value = self.qkv(states).chunk(3, dim=-1)
        found = F.scaled_dot_product_attention(
            by_head(self.q_norm(query), self.heads),
            by_head(self.k_norm(key), self.heads),
            by_head(value, self.heads),
        )
        return self.proj(found.transpose(1, 2).flatten(2))


class _VisionMlp(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)

    def forward(self, states: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(states)))


class AttentionPooling(nn.Module):
    """The mean of the states asks all of them; [batch, dim] of [batch, length, width]."""

    def __init__(self, width: int, heads: int, dim: int) -> None:
        super().__init__()
        self.norm1_q = nn.LayerNorm(width, _POOLING_EPS)
        self.norm1_k = nn.LayerNorm(width, _POOLING_EPS)
        self.norm1_v = nn.LayerNorm(width, _POOLING_EPS)
        self.cross_attn = _PoolingAttention(width, heads, dim)

    def forward(self, states: Tensor) -> Tensor:
        mean = states.mean(dim=1, keepdim=True)
        found = self.cross_attn(self.norm1_q(mean), self.norm1_k(states), self.norm1_v(states))
        return found.squeeze(1)


class _PoolingAttention(nn.Module):
    def __init__(self, width: int, heads: int, dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.proj = nn.Linear(width, dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = F.scaled_dot_product_attention(
            by_head(self.q(query), self.heads),
            by_head(self.k(key), self.heads),
            by_head(self.v(value), self.heads),
        )
        return self.proj(found.transpose(1, 2).flatten(2))
