"""The networks of VALOR-B for sounds and texts (Chen et al., 2023, arXiv 2304.08345).

Names follow the public release. Its video tower and the layers that write captions are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrievers.encoders.bert_network import Bert, BertSizes
from retrievers.encoders.token_towers import token_rows

_EPS = 1e-12


@dataclass(frozen=True)
class ValorSizes:
    """Those of VALOR-B, unless told otherwise.

    moments  of a slice of a sound, each of ``mels`` bands
    patch    bands, and moments, that are read at once
    width    of the tower of sounds
    dim      of the shared space
    """

    mels: int = 64
    moments: int = 512
    patch: int = 16
    width: int = 768
    hidden: int = 3072
    layers: int = 12
    heads: int = 12
    text: BertSizes = field(default_factory=BertSizes)
    dim: int = 512


class _Embeddings(nn.Module):
    def __init__(self, sizes: ValorSizes) -> None:
        super().__init__()
        places = (sizes.mels // sizes.patch) * (sizes.moments // sizes.patch)
        self.first_conv = nn.Conv2d(1, sizes.width, sizes.patch, sizes.patch)
        self.position_embeddings = nn.Embedding(places + 1, sizes.width)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, sizes.width))

    def forward(self, slices: Tensor) -> Tensor:
        patches = self.first_conv(slices[:, None]).flatten(2).transpose(1, 2)
        begun = torch.cat([self.cls_token.expand(len(slices), -1, -1), patches], dim=1)
        return begun + self.position_embeddings.weight


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self._heads = heads

    def forward(self, places: Tensor) -> Tensor:
        asked, keys, values = (
            linear(places).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for linear in self.linears[:3]
        )
        found = F.scaled_dot_product_attention(asked, keys, values)
        return self.linears[3](found.transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)

    def forward(self, places: Tensor) -> Tensor:
        return self.linear2(F.gelu(self.linear1(places)))


class _Layer(nn.Module):
    def __init__(self, sizes: ValorSizes) -> None:
        super().__init__()
        self.attention = _Attention(sizes.width, sizes.heads)
        self.ff_layer = _FeedForward(sizes.width, sizes.hidden)
        self.layernorm1 = nn.LayerNorm(sizes.width, eps=_EPS)
        self.layernorm2 = nn.LayerNorm(sizes.width, eps=_EPS)

    def forward(self, places: Tensor) -> Tensor:
        places = places + self.attention(self.layernorm1(places))
        return places + self.ff_layer(self.layernorm2(places))


class _Encoder(nn.Module):
    def __init__(self, sizes: ValorSizes) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(sizes) for _ in range(sizes.layers))
        self.last_layernorm = nn.LayerNorm(sizes.width, eps=_EPS)

    def forward(self, places: Tensor) -> Tensor:
        for layer in self.layer:
            places = layer(places)
        return self.last_layernorm(places)


class _Head(nn.Module):
    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, dim, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Unit vectors."""
        return F.normalize(self.linear(vectors), dim=-1)


class Valor(nn.Module):
    """Sounds and texts to several weighed vectors each, of one space."""

    def __init__(self, sizes: ValorSizes) -> None:
        super().__init__()
        self.audio_embeddings = _Embeddings(sizes)
        self.audio_encoder = _Encoder(sizes)
        self.txt_encoder = Bert(sizes.text)
        self.contra_head_a = _Head(sizes.width, sizes.dim)
        self.contra_head_t = _Head(sizes.text.width, sizes.dim)
        self.audio_fine_weight = _weights(sizes.dim)
        self.text_fine_weight = _weights(sizes.dim)

    def sound_rows(self, slices: Tensor) -> Tensor:
        """``token_rows`` of a vector for each slice, [sounds, count, mels, moments]."""
        places = self.audio_encoder(self.audio_embeddings(slices.flatten(0, 1)))
        vectors = self.contra_head_a(places[:, 0]).unflatten(0, slices.shape[:2])
        weights = self.audio_fine_weight(vectors)[:, :, 0]
        return token_rows(vectors, _shares(weights, torch.ones_like(weights, dtype=torch.bool)))

    def text_rows(self, tokens: Tensor) -> Tensor:
        """``token_rows`` of a vector for each of [texts, length] numbers, 0 for padding."""
        vectors = self.contra_head_t(self.txt_encoder.read(tokens))
        weights = self.text_fine_weight(vectors)[:, :, 0]
        return token_rows(vectors, _shares(weights, torch.ne(tokens, 0)))


def _weights(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))


def _shares(weights: Tensor, seen: Tensor) -> Tensor:
    """[n, places] that sum to 1 over what is seen; 0 elsewhere and nowhere else."""
    shares = weights.float().masked_fill(~seen, -torch.inf).softmax(dim=1)
    least = torch.finfo(weights.dtype).tiny
    return shares.clamp(min=least).masked_fill(~seen, 0).to(weights.dtype)
