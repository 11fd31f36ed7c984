"""What CLIP4Clip and CLIP2Video are shown: videos of colours that change, and a few texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from datasets.base import ByteArray, Clip, Item
from retrievers.base import Retriever, Settings
from retrievers.encoders.openclip_models import Config
from retrievers.pretrained import PretrainedAdapter
from tests.parity.goldens import FloatArray
from tests.rankings import scores_by_row

SIDE, WIDTH, HEADS, CONTEXT, VOCABULARY = 64, 128, 2, 77, 49408
TEXTS = (
    "a man is playing a guitar",
    "Two dogs &amp; a cat… RUN!! 3 times!",
    "",
    "the same words again and again " * 12,
)


def small_clip() -> Config:
    """Wide enough for two heads: upstream has one for every 64 channels."""
    return {
        "embed_dim": WIDTH,
        "quick_gelu": True,
        "vision_cfg": {"image_size": SIDE, "layers": 2, "width": WIDTH, "patch_size": 16},
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": VOCABULARY,
            "width": WIDTH,
            "heads": HEADS,
            "layers": 2,
        },
    }


def videos(lengths: tuple[int, ...], height: int, width: int) -> list[ByteArray]:
    """Frames of coarse tiles of colour, uint8 [length, height, width, 3] each."""
    rng = np.random.default_rng(11)
    found = []
    for length in lengths:
        tiles = rng.integers(0, 256, (length, 5, 7, 3), dtype=np.uint8)
        tiles = tiles.repeat(-(-height // 5), axis=1).repeat(-(-width // 7), axis=2)
        found.append(np.ascontiguousarray(tiles[:, :height, :width]))
    return found


def as_items(shown: list[ByteArray], frames_a_second: int) -> list[Item]:
    return [
        Item(f"video-{row}", "video", Clip(frames, np.arange(len(frames)) / frames_a_second))
        for row, frames in enumerate(shown)
    ]


def opened(adapter: PretrainedAdapter, weights: Path, cache: Path, **other: Any) -> Retriever:
    """The adapter of a small configuration on a file of weights, the whole way."""
    settings = Settings(seed=0, device="cpu", cache=cache, checkpoint={"model": str(weights)})
    return adapter.build(replace(settings, **other))


def outputs(retriever: Retriever, items: list[Item], folder: Path) -> Mapping[str, FloatArray]:
    """The vectors of the videos [videos, dim] and the scores [texts, videos]."""
    retriever.index(items)
    retriever.save(folder)
    scores = scores_by_row(retriever.search(TEXTS, len(items)))
    return {"videos": load_file(folder / "gallery.safetensors")["vectors"], "scores": scores}


def saved(state: Mapping[str, torch.Tensor], path: Path) -> Path:
    torch.save(dict(state), path)
    return path
