"""The networks of the tiny dual tower: a small CNN for images, a recurrent tower for texts.

Both are made for a processor without an accelerator: a few million multiplications a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class TowerSizes:
    """Widths of both towers.

    image_side  pixels; pictures are brought to a square of this side, a multiple of 8
    channels    of the four convolutions; the picture is halved by the first, second and fourth
    detectors   features looked for at each of the (image_side / 8)^2 places
    text_width  of the token embeddings and of the recurrence in each direction
    dim         of the space that both towers share
    """

    image_side: int = 64
    channels: tuple[int, int, int, int] = (32, 64, 64, 128)
    detectors: int = 384
    text_width: int = 128
    dim: int = 256


class ImageTower(nn.Module):
    """Convolutions, then detectors that know their place, pooled over all places.

    A learned bias for each place is added before the detectors, so that one can stand for
    "a red star on the left". Their maximum tells presence, their mean extent.
    """

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        first, second, third, fourth = sizes.channels
        places = sizes.image_side // 8
        self.convolutions = nn.Sequential(
            _convolution(3, first, stride=2),
            _convolution(first, second, stride=2),
            _convolution(second, third, stride=1),
            _convolution(third, fourth, stride=2),
        )
        self.place = nn.Parameter(0.1 * torch.randn(1, fourth, places, places))
        self.detect = nn.Sequential(
            nn.Conv2d(fourth, sizes.detectors, 1, bias=False),
            nn.BatchNorm2d(sizes.detectors),
            nn.ReLU(),
        )
        self.project = nn.Linear(2 * sizes.detectors, sizes.dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """Unit vectors [pictures, dim] of pixels [pictures, 3, side, side]."""
        maps = self.detect(self.convolutions(pixels) + self.place)
        pooled = torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1)
        return F.normalize(self.project(pooled), dim=1)


class TextTower(nn.Module):
    """Token embeddings read in both directions, pooled over the tokens of each text."""

    def __init__(self, sizes: TowerSizes, vocabulary: int) -> None:
        super().__init__()
        width, dim = sizes.text_width, sizes.dim
        self.embed = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embed.weight, std=0.5)
        self.read = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.project = nn.Sequential(
            nn.Linear(4 * width, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)
        )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Unit vectors [texts, dim] of tokens [texts, longest]; padding is not read.

        ``lengths`` [texts] lies on the host; every length is at least 1.
        """
        packed = pack_padded_sequence(
            self.embed(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.read(packed)[0], batch_first=True)
        inside = torch.arange(states.shape[1])[None] < lengths[:, None]
        mask = inside.to(states.device)[:, :, None]
        mean = states.masked_fill(~mask, 0.0).sum(1) / lengths.to(states.device)[:, None]
        most = states.masked_fill(~mask, -torch.inf).amax(1)
        return F.normalize(self.project(torch.cat([mean, most], dim=1)), dim=1)


class Towers(nn.Module):
    """Both towers and the logarithm of the factor that their similarity is multiplied by."""

    def __init__(self, sizes: TowerSizes, vocabulary: int) -> None:
        super().__init__()
        self.image = ImageTower(sizes)
        self.text = TextTower(sizes, vocabulary)
        self.log_scale = nn.Parameter(torch.tensor(2.3))


def normalise_pixels(pixels: Tensor) -> Tensor:
    """uint8 [pictures, 3, side, side] to about zero mean and unit deviation."""
    return (pixels.float() - 128.0) / 64.0


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Tokens [texts, longest], padded with 0, and lengths [texts], both on the host."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    tokens = torch.zeros(len(sequences), int(lengths.max()), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
    return tokens, lengths


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
