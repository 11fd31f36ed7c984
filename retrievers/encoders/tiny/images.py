"""Pictures for the tiny dual tower: a small CNN whose detectors know their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.base import Item
from datasets.media.images import decode_images
from retrievers.encoders.tiny.towers import Detectors, convolutions


@dataclass(frozen=True)
class TinyImages:
    """How pictures are read and encoded; meets ``Medium``.

    side       pixels; pictures are brought to a square of this side, a multiple of 8
    channels   of the four convolutions; the picture is halved by the first, second and fourth
    detectors  features looked for at each of the (side / 8)^2 places
    shift      pixels by which a picture is moved at random, in each direction
    """

    side: int = 64
    channels: tuple[int, int, int, int] = (32, 64, 64, 128)
    detectors: int = 384
    shift: int = 3

    @property
    def bytes_per_item(self) -> int:
        return self.side * self.side * 3

    def read(self, items: Sequence[Item]) -> Tensor:
        """uint8 [items, 3, side, side], the channels of a pixel side by side in memory."""
        pictures = np.zeros((len(items), self.side, self.side, 3), np.uint8)
        for row, picture in enumerate(decode_images(items, (self.side, self.side))):
            pictures[row] = picture
        return torch.from_numpy(pictures).permute(0, 3, 1, 2)

    def values(self, kept: Tensor) -> Tensor:
        """[items, 3, side, side]"""
        return normalise_pixels(kept)

    def vary(self, kept: Tensor, rng: np.random.Generator) -> Tensor:
        """Moved, brightened and contrasted; never mirrored, for left is not right."""
        return vary_pixels(kept, self.shift, rng).contiguous(memory_format=torch.channels_last)

    def network(self, dim: int) -> nn.Module:
        return _ImageTower(self, dim)


class _ImageTower(nn.Module):
    """Convolutions, then detectors, whose maximum tells presence and whose mean extent."""

    def __init__(self, sizes: TinyImages, dim: int) -> None:
        super().__init__()
        places = sizes.side // 8
        self.convolutions = convolutions(3, sizes.channels)
        self.detect = Detectors(sizes.channels[-1], sizes.detectors, (places, places))
        self.project = nn.Linear(2 * sizes.detectors, dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """Unit vectors [pictures, dim] of pixels [pictures, 3, side, side]."""
        maps = self.detect(self.convolutions(pixels))
        pooled = torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1)
        return F.normalize(self.project(pooled), dim=1)


def normalise_pixels(pixels: Tensor) -> Tensor:
    """uint8 of any shape to about zero mean and unit deviation."""
    return (pixels.float() - 128.0) / 64.0


def vary_pixels(pixels: Tensor, shift: int, rng: np.random.Generator) -> Tensor:
    """Normalised pixels of uint8 [items, planes, height, width], all planes of an item alike.

    Each item is moved by at most ``shift`` pixels, and its brightness and contrast change by a
    tenth or so.
    """
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels.float(), (shift,) * 4, mode="replicate")
    corners = rng.integers(0, 2 * shift + 1, (len(pixels), 2)).tolist()
    moved = torch.stack(
        [one[:, y : y + height, x : x + width] for one, (y, x) in zip(padded, corners, strict=True)]
    )
    gain, offset = torch.from_numpy(rng.normal(0.0, 0.1, (2, len(pixels), 1, 1, 1))).float()
    return normalise_pixels(moved) * (1.0 + gain) + offset
