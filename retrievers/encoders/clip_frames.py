"""CLIP over the frames of videos and the tokens of texts, for the networks built on that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.base import ByteArray, Item
from datasets.media.sampling import VideoSampling
from datasets.media.videos import decode_clips
from retrievers.encoders import openclip_models
from retrievers.encoders.openclip_models import Config
from retrievers.encoders.towers import NetworkTower, Placement, Prepare
from retrievers.weights.releases import Located
from retrievers.weights.report import CheckpointError, listed

ARCHITECTURE = "ViT-B-32-quickgelu"
PACKAGES = ("open_clip_torch", "torchvision", "pillow", "ftfy", "av")
# Videos encoded at once, a dozen pictures each.
_VIDEOS = 8
# What the published code adds to attention where it must not look.
_HIDDEN = -1e6


@dataclass(frozen=True)
class FrameRecipe:
    """How a video becomes the input of a network.

    sampling  which frames are looked at
    picture   uint8 [height, width, 3] -> float32 [3, side, side]
    """

    sampling: VideoSampling
    picture: Callable[[ByteArray], Tensor]

    def videos(self, items: Sequence[Item]) -> Iterator[Tensor]:
        """float32 [count, 3, side, side] of each item; zeros follow the frames of a short video.

        Raises MediaError.
        """
        for clip in decode_clips(items, self.sampling):
            frames = torch.stack([self.picture(frame) for frame in clip.frames])
            lacking = self.sampling.count - len(frames)
            yield functional.pad(frames, (0, 0, 0, 0, 0, 0, 0, lacking))


def shown(frames: Tensor) -> Tensor:
    """bool [videos, count]: which of the frames [videos, count, 3, side, side] are no padding.

    A frame is never zero throughout: no pixel of 8 bits is the mean that is taken from it.
    """
    return frames.flatten(2).any(dim=2)


def clip_network(config: Config) -> nn.Module:
    """open_clip's network, for ``frame_vectors`` and ``token_vectors``."""
    network = openclip_models.network(config)
    # Drawn for texts of 77 tokens, and held in no checkpoint.
    network.register_buffer("attn_mask", None)
    return network


def frame_vectors(clip: Any, frames: Tensor) -> Tensor:
    """[videos, count, dim] of frames [videos, count, 3, side, side]."""
    vectors: Tensor = clip.encode_image(frames.flatten(0, 1))
    return vectors.unflatten(0, frames.shape[:2])


def token_vectors(clip: Any, tokens: Tensor) -> Tensor:
    """[texts, length, dim], each token in the shared space, of numbers [texts, length].

    The length may be less than what CLIP was trained for.
    """
    length = tokens.shape[1]
    embedded = clip.token_embedding(tokens) + clip.positional_embedding[:length]
    causal = torch.full((length, length), -torch.inf, device=tokens.device).triu(1)
    vectors: Tensor = clip.ln_final(clip.transformer(embedded, attn_mask=causal))
    return vectors @ clip.text_projection


def vectors_at_end(vectors: Tensor, tokens: Tensor) -> Tensor:
    """[texts, dim] of [texts, length, dim]: at the first end of text, the largest number."""
    return vectors[torch.arange(len(tokens), device=tokens.device), tokens.argmax(dim=1)]


class FrameTransformer(nn.Module):
    """Layers of CLIP's kind in which each vector looks at those that are shown."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        block = openclip_models.open_clip().transformer.ResidualAttentionBlock
        activation = openclip_models.open_clip().transformer.QuickGELU
        norm = partial(nn.LayerNorm, eps=1e-12)
        self.resblocks = nn.ModuleList(
            block(width, heads, act_layer=activation, norm_layer=norm) for _ in range(layers)
        )
        self.heads = heads

    def forward(self, vectors: Tensor, shown: Tensor) -> Tensor:
        """[videos, length, width] of the same; ``shown`` bool [videos, length]."""
        hidden = max(_HIDDEN, torch.finfo(vectors.dtype).min)
        mask = torch.where(shown, 0.0, hidden).to(vectors.dtype)
        each = mask[:, None, :].expand(-1, shown.shape[1], -1)
        for block in self.resblocks:
            vectors = block(vectors, attn_mask=each.repeat_interleave(self.heads, dim=0))
        return vectors


def mean_of_shown(vectors: Tensor, shown: Tensor) -> Tensor:
    """[videos, dim] of [videos, length, dim]."""
    weights = shown.to(vectors.dtype)
    total = torch.einsum("vl,vld->vd", weights, vectors)
    return total / weights.sum(dim=1, keepdim=True).clamp(min=1)


def video_towers(
    network: Any,
    frames: FrameRecipe,
    texts: Prepare[str],
    fingerprint: str,
    placement: Placement,
) -> tuple[NetworkTower[Item], NetworkTower[str]]:
    """The towers of a network that has ``encode_videos`` and ``encode_texts``."""
    placed: Any = placement.put(network)
    return (
        NetworkTower(
            frames.videos, placed.encode_videos, f"{fingerprint}-video", placement, batch=_VIDEOS
        ),
        NetworkTower(texts, placed.encode_texts, f"{fingerprint}-text", placement),
    )


def only_file(located: Located) -> tuple[Path]:
    """The file of weights. Raises CheckpointError where a folder holds several."""
    if len(located.files) > 1:
        names = listed(path.name for path in located.files)
        raise CheckpointError(f"{located.source} holds several checkpoints: {names}. Name one.")
    return (located.files[0],)
