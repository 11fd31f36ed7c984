"""Videos for the tiny dual tower: a few frames and what changes between them, read in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.base import Item
from datasets.media.sampling import FrameSampling
from datasets.media.videos import decode_clips
from retrievers.encoders.tiny.images import normalise_pixels, vary_pixels
from retrievers.encoders.tiny.towers import Detectors, InOrder, convolutions


@dataclass(frozen=True)
class TinyVideos:
    """How videos are read and encoded; meets ``Medium``.

    frames     taken from each video, at the middles of as many equal parts
    side       pixels; frames are brought to a square of this side, a multiple of 8
    channels   of the four convolutions; the frame is halved by the first, second and fourth
    detectors  features looked for at each of the (side / 8)^2 places of each frame
    width      of the reading of the frames in each direction
    shift      pixels by which a video is moved at random, in each direction
    """

    frames: int = 6
    side: int = 40
    channels: tuple[int, int, int, int] = (16, 32, 32, 64)
    detectors: int = 192
    width: int = 96
    shift: int = 2

    @property
    def bytes_per_item(self) -> int:
        return self.frames * self.side * self.side * 3

    def read(self, items: Sequence[Item]) -> Tensor:
        """uint8 [items, frames, 3, side, side], the channels of a pixel side by side."""
        clips = np.zeros((len(items), self.frames, self.side, self.side, 3), np.uint8)
        sampling = FrameSampling(self.frames)
        for row, clip in enumerate(decode_clips(items, sampling, (self.side, self.side))):
            clips[row] = clip.frames
        return torch.from_numpy(clips).permute(0, 1, 4, 2, 3)

    def values(self, kept: Tensor) -> Tensor:
        """[items, frames, 3, side, side]"""
        return normalise_pixels(kept)

    def vary(self, kept: Tensor, rng: np.random.Generator) -> Tensor:
        """All frames of a video moved, brightened and contrasted alike.

        Never mirrored, never reversed and never moved apart: left is not right, before is not
        after, and what stands still must not seem to move.
        """
        return vary_pixels(kept.flatten(1, 2), self.shift, rng).view(kept.shape)

    def network(self, dim: int) -> nn.Module:
        return _VideoTower(self, dim)


class _VideoTower(nn.Module):
    """Detectors in each frame and its change from the one before, read in the order of time."""

    def __init__(self, sizes: TinyVideos, dim: int) -> None:
        super().__init__()
        places = sizes.side // 8
        self.convolutions = convolutions(6, sizes.channels)
        self.detect = Detectors(sizes.channels[-1], sizes.detectors, (places, places))
        self.read = InOrder(sizes.detectors, sizes.width)
        self.project = nn.Linear(2 * sizes.detectors + 4 * sizes.width, dim)

    def forward(self, clips: Tensor) -> Tensor:
        """Unit vectors [videos, dim] of clips [videos, frames, 3, side, side]."""
        before = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
        seen = torch.cat([clips, clips - before], dim=2).flatten(0, 1)
        maps = self.detect(self.convolutions(seen.contiguous(memory_format=torch.channels_last)))
        frames = maps.amax((2, 3)).view(*clips.shape[:2], -1)
        extent = maps.mean((2, 3)).view(*clips.shape[:2], -1)
        pooled = [frames.amax(1), extent.mean(1), self.read(frames)]
        return F.normalize(self.project(torch.cat(pooled, dim=1)), dim=1)
