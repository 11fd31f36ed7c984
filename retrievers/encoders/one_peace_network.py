"""The network of ONE-PEACE: one transformer with a feed-forward of its own for each modality.

Attention is shared, and each modality brings its embeddings, its relative positions and its
projection (Wang et al., 2023, arXiv 2305.11172). Names follow the public release.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrievers.encoders.one_peace_audio import HeardPositions, Hearing

Part = Literal["text", "image", "audio"]

PADDING = 1
_SMALL = 0.02
_LAYER_SCALE = 1e-2
# Distances between tokens are told apart up to here, on a scale that grows coarser.
_FARTHEST = 1024


@dataclass(frozen=True)
class OnePeaceConfig:
    """Sizes, as the weights themselves tell them.

    parts           what it reads: always text, and image or audio or both
    tables          tables of relative positions a part: one for all layers, or one for each
    text_positions  how many tokens have a position
    text_distances  distances between tokens that are told apart, in one direction; so too
                    sound_distances
    patches         along a side of a picture, 16 pixels each
    """

    parts: tuple[Part, ...]
    vocabulary: int
    width: int
    layers: int
    heads: int
    hidden: int
    tables: int
    text_positions: int
    text_distances: int
    patches: int = 0
    sound_channels: int = 0
    sound_depth: int = 0
    sound_kernel: int = 0
    sound_groups: int = 0
    sound_distances: int = 0


class OnePeace(nn.Module):
    """Texts, pictures and sounds to vectors of one space."""

    def __init__(self, config: OnePeaceConfig) -> None:
        super().__init__()
        parts = config.parts
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.text_adapter = _TextAdapter(config)
        self.image_adapter = _ImageAdapter(config) if "image" in parts else None
        self.audio_adapter = _AudioAdapter(config) if "audio" in parts else None
        for part in parts:
            self.add_module(f"{part}_layer_norm", nn.LayerNorm(config.width))
            self.add_module(f"{part}_proj", nn.Linear(config.width, config.width))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """[texts, width] of tokens [texts, length], filled up behind with ``PADDING``."""
        longest = int((tokens != PADDING).sum(dim=1).max())
        tokens = tokens[:, :longest]
        padded = F.pad(tokens == PADDING, (1, 0))[:, None, None]
        return self._encoded("text", self.text_adapter, tokens, padded)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """[pictures, width] of pixels [pictures, 3, side, side]."""
        return self._encoded("image", self.image_adapter, pixels)

    def encode_audio(self, samples: Tensor) -> Tensor:
        """[sounds, width] of samples [sounds, samples] of equal length."""
        return self._encoded("audio", self.audio_adapter, samples)

    def _encoded(
        self, part: Part, adapter: _Adapter | None, given: Tensor, padded: Tensor | None = None
    ) -> Tensor:
        """``padded`` [texts, 1, 1, 1 + length] marks what must not be seen."""
        assert adapter is not None, f"the weights have no part for {part}"
        states, buckets = adapter(given)
        tables = [table.get_parameter("weight") for table in adapter.rel_pos_table_list]
        for number, layer in enumerate(self.layers):
            if number < len(tables):
                bias = F.embedding(buckets, tables[number]).permute(2, 0, 1)
                bias = bias if padded is None else bias.masked_fill(padded, -torch.inf)
            states = layer(states, bias, part)
        whole = self.get_submodule(f"{part}_layer_norm")(states[:, 0])
        return self.get_submodule(f"{part}_proj")(whole)


class _Layer(nn.Module):
    def __init__(self, config: OnePeaceConfig) -> None:
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(config.width)
        self.self_attn = _Attention(config.width, config.heads)
        self.gamma_1 = nn.Parameter(torch.full((config.width,), _LAYER_SCALE))
        self.final_layer_norm = nn.LayerNorm(config.width)
        for part in config.parts:
            self.add_module(f"{part}_ffn", _feed_forward(config.width, config.hidden))
        self.gamma_2 = nn.Parameter(torch.full((config.width,), _LAYER_SCALE))

    def forward(self, states: Tensor, bias: Tensor, part: Part) -> Tensor:
        states = states + self.gamma_1 * self.self_attn(self.self_attn_layer_norm(states), bias)
        feed_forward = self.get_submodule(f"{part}_ffn")
        return states + self.gamma_2 * feed_forward(self.final_layer_norm(states))


class _Attention(nn.Module):
    """Self-attention whose result is normalised before it is projected."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.ln = nn.LayerNorm(width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        query, key, value = (
            one(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for one in (self.q_proj, self.k_proj, self.v_proj)
        )
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out_proj(self.ln(found.transpose(1, 2).flatten(2)))


def _feed_forward(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(
        _Gated(width, hidden), nn.Identity(), nn.LayerNorm(hidden), nn.Linear(hidden, width)
    )


class _Gated(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.wi_0 = nn.Linear(width, hidden, bias=False)
        self.wi_1 = nn.Linear(width, hidden, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        return F.gelu(self.wi_0(states)) * self.wi_1(states)


class _TextAdapter(nn.Module):
    def __init__(self, config: OnePeaceConfig) -> None:
        super().__init__()
        self.distances = config.text_distances
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.embed_positions = nn.Embedding(config.text_positions, config.width)
        self.cls_embedding = _vector(config.width)
        self.rel_pos_table_list = _tables(config, 2 * self.distances + 2)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """States [texts, 1 + length, width] and relative positions [1 + length, 1 + length]."""
        states = _behind(self.cls_embedding, self.embed_tokens(tokens))
        places = torch.arange(states.shape[1], device=tokens.device)
        buckets = token_buckets(states.shape[1], self.distances).to(tokens.device)
        return states + self.embed_positions(places), buckets


class _ImageAdapter(nn.Module):
    """Patches of 16 pixels, in three steps of 4, 2 and 2."""

    def __init__(self, config: OnePeaceConfig) -> None:
        super().__init__()
        narrow = config.width // 4
        self.patches = config.patches
        self.embed_images = nn.Sequential(
            nn.Conv2d(3, narrow, 4, 4),
            _ChannelNorm(narrow),
            nn.GELU(),
            nn.Conv2d(narrow, narrow, 2, 2),
            _ChannelNorm(narrow),
            nn.GELU(),
            nn.Conv2d(narrow, config.width, 2, 2),
        )
        self.cls_embedding = _vector(config.width)
        self.pos_embed = nn.Parameter(_SMALL * torch.randn(self.patches**2 + 1, config.width))
        self.rel_pos_table_list = _tables(config, (2 * self.patches - 1) ** 2 + 3)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """States [pictures, 1 + patches, width] and relative positions of all pairs of them."""
        patches = self.embed_images(pixels).flatten(2).transpose(1, 2)
        states = _behind(self.cls_embedding, patches) + self.pos_embed
        return states, patch_buckets(self.patches).to(pixels.device)


class _AudioAdapter(nn.Module):
    def __init__(self, config: OnePeaceConfig) -> None:
        super().__init__()
        self.distances = config.sound_distances
        self.embed_audios = Hearing(config.sound_channels, config.width)
        self.embed_positions = HeardPositions(
            config.width, config.sound_depth, config.sound_kernel, config.sound_groups
        )
        self.cls_pos_embed = _vector(config.width)
        self.cls_embedding = _vector(config.width)
        self.rel_pos_table_list = _tables(config, 2 * self.distances + 2)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """States [sounds, 1 + steps, width] and relative positions [1 + steps, 1 + steps]."""
        heard = self.embed_audios(samples)
        states = _behind(self.cls_embedding, heard)
        states = states + _behind(self.cls_pos_embed, self.embed_positions(heard))
        return states, token_buckets(states.shape[1], self.distances).to(samples.device)


class _ChannelNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(channels)

    def forward(self, states: Tensor) -> Tensor:
        return self.layer_norm(states.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


_Adapter = _TextAdapter | _ImageAdapter | _AudioAdapter


def token_buckets(length: int, distances: int) -> Tensor:
    """Numbers [length, length] of the relative positions of a first token and those behind it.

    Near distances have a number each, far ones share one; three belong to the first token: what
    it sees, what sees it, and itself.
    """
    return _token_buckets(distances)[:length, :length]


@lru_cache(maxsize=4)
def _token_buckets(distances: int) -> Tensor:
    places = torch.arange(_FARTHEST)
    away = places[:, None] - places[None, :]
    middle = distances // 2
    far = torch.where(away.abs() < middle, middle - 1, away.abs())
    steps = torch.ceil(torch.log(far / middle) / log((_FARTHEST - 1) / middle) * (middle - 1))
    buckets = torch.where(far <= middle, away, (middle + steps.long()) * away.sign())
    return _around_the_first(buckets + distances - 1, 2 * distances - 1)


@lru_cache(maxsize=4)
def patch_buckets(patches: int) -> Tensor:
    """Numbers [1 + patches², 1 + patches²] of the relative positions of patches, row by row.

    The first stands for the whole picture, and three numbers belong to it.
    """
    side = torch.arange(patches)
    rows, columns = side.repeat_interleave(patches), side.repeat(patches)
    reach = 2 * patches - 1
    down = rows[:, None] - rows[None, :] + patches - 1
    across = columns[:, None] - columns[None, :] + patches - 1
    inner = F.pad(down * reach + across, (1, 0, 1, 0))
    return _around_the_first(inner, reach**2)


def _around_the_first(buckets: Tensor, free: int) -> Tensor:
    buckets[0, :], buckets[:, 0], buckets[0, 0] = free, free + 1, free + 2
    return buckets


def _tables(config: OnePeaceConfig, rows: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Embedding(rows, config.heads) for _ in range(config.tables))


def _behind(first: Tensor, states: Tensor) -> Tensor:
    """The states with one vector in front of each row."""
    return torch.cat([first.expand(len(states), -1, -1), states], dim=1)


def _vector(width: int) -> nn.Parameter:
    return nn.Parameter(_SMALL * torch.randn(1, 1, width))
