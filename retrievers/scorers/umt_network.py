"""The network of UMT: a video transformer, and a BERT whose last layers look at the video.

Names follow the public release (Li et al., 2023, arXiv 2303.16058), of which the teacher and the
parts that only training needs are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrievers.encoders.bert_network import Bert, BertSizes
from retrievers.encoders.token_towers import token_rows

_EPS = 1e-6


@dataclass(frozen=True)
class UmtSizes:
    """Those of UMT-B/16, unless told otherwise.

    side    height and width of the frames, in pixels
    width   of the vision tower
    dim     of the shared space
    fusing  layers of ``text`` that look at the video
    """

    side: int = 224
    patch: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    text: BertSizes = field(default_factory=BertSizes)
    fusing: int = 3
    dim: int = 512


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)
        self._heads = heads

    def forward(self, places: Tensor) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        each = F.linear(places, self.qkv.weight, bias).unflatten(2, (3, self._heads, -1))
        asked, keys, values = each.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(asked, keys, values)
        return self.proj(found.transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, places: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(places)))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPS)
        self.attn = _Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = _Mlp(width)

    def forward(self, places: Tensor) -> Tensor:
        places = places + self.attn(self.norm1(places))
        return places + self.mlp(self.norm2(places))


class _PatchEmbed(nn.Module):
    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, (1, patch, patch), (1, patch, patch))


class _Encoder(nn.Module):
    def __init__(self, sizes: UmtSizes) -> None:
        super().__init__()
        self.patch_embed = _PatchEmbed(sizes.width, sizes.patch)
        self.blocks = nn.ModuleList(_Block(sizes.width, sizes.heads) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width, eps=_EPS)

    def forward(self, frames: Tensor) -> Tensor:
        """[videos, places, width] of [videos, count, 3, side, side]: all places of all frames."""
        patches = self.patch_embed.proj(frames.transpose(1, 2)).flatten(2).transpose(1, 2)
        places = patches + _waves(*patches.shape[1:]).to(patches)
        for block in self.blocks:
            places = block(places)
        return self.norm(places)


class _VisionEncoder(nn.Module):
    def __init__(self, sizes: UmtSizes) -> None:
        super().__init__()
        self.encoder = _Encoder(sizes)
        self.pool_norm = nn.LayerNorm(sizes.width, eps=_EPS)


class Umt(nn.Module):
    """Videos and texts to one space, and pairs of both to a logit."""

    def __init__(self, sizes: UmtSizes) -> None:
        super().__init__()
        self.vision_encoder = _VisionEncoder(sizes)
        self.text_encoder = Bert(sizes.text, sizes.fusing, sizes.width)
        self.vision_proj = nn.Linear(sizes.width, sizes.dim)
        self.text_proj = nn.Linear(sizes.text.width, sizes.dim)
        self.itm_head = nn.Linear(sizes.text.width, 2)
        self._places = (sizes.side // sizes.patch) ** 2

    def features(self, frames: Tensor) -> Tensor:
        """[videos, places, width] of frames [videos, count, 3, side, side]."""
        found: Tensor = self.vision_encoder.encoder(frames)
        return found

    def item_rows(self, features: Tensor) -> Tensor:
        """``token_rows`` of one vector a video: the mean of the unit vectors of its frames.

        It is not of length 1. A text's inner product with it is the mean of its cosines.
        """
        frames = features.unflatten(1, (-1, self._places)).mean(dim=2)
        vectors = F.normalize(self.vision_proj(self.vision_encoder.pool_norm(frames)), dim=-1)
        return _alone(vectors.mean(dim=1))

    def text_rows(self, tokens: Tensor) -> Tensor:
        """``token_rows`` of the one unit vector of a text, [texts, length] in numbers."""
        read = self.text_encoder.read(tokens)[:, 0]
        return _alone(F.normalize(self.text_proj(read), dim=-1))

    def match(self, features: Tensor, tokens: Tensor) -> Tensor:
        """[pairs] logits that a video and a text belong together."""
        texts, which = torch.unique(tokens, dim=0, return_inverse=True)
        read = self.text_encoder.read(texts)[which]
        met = self.text_encoder.fuse(read, tokens, features)[:, 0]
        logits: Tensor = self.itm_head(met)[:, 1]
        return logits


def _alone(vectors: Tensor) -> Tensor:
    return token_rows(vectors[:, None], vectors.new_ones(len(vectors), 1))


@lru_cache(maxsize=4)
def _waves(count: int, width: int) -> Tensor:
    """Positions as sines and cosines of falling frequency, float32 [count, width]."""
    frequencies = 10_000.0 ** -(np.arange(width) // 2 * 2 / width)
    angles = np.arange(count)[:, None] * frequencies
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return torch.from_numpy(angles.astype(np.float32))
