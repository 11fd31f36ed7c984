"""The networks of the tiny dual tower: the tower of texts, and what the others are made of.

All are made for a processor without an accelerator: some tens of millions of multiplications an
item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class TextSizes:
    """``width`` of the token embeddings and of the recurrence in each direction."""

    width: int = 128


class TextTower(nn.Module):
    """Token embeddings read in both directions, pooled over the tokens of each text."""

    def __init__(self, sizes: TextSizes, vocabulary: int, dim: int) -> None:
        super().__init__()
        width = sizes.width
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

    def __init__(self, item: nn.Module, text: TextTower) -> None:
        super().__init__()
        self.item = item
        self.text = text
        self.log_scale = nn.Parameter(torch.tensor(2.3))


class Detectors(nn.Module):
    """Features looked for at each place of a map, which know their place.

    A learned bias for each place is added before the detectors, so that one can stand for
    "a red star on the left" or "a high tone at the end".
    """

    def __init__(self, channels: int, count: int, places: tuple[int, int]) -> None:
        super().__init__()
        self.place = nn.Parameter(0.1 * torch.randn(1, channels, *places))
        self.detect = nn.Sequential(
            nn.Conv2d(channels, count, 1, bias=False), nn.BatchNorm2d(count), nn.ReLU()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[items, count, rows, columns] of maps [items, channels, rows, columns]."""
        return self.detect(maps + self.place)


class InOrder(nn.Module):
    """Moments read in both directions and pooled: what comes before what."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.read = nn.GRU(features, width, batch_first=True, bidirectional=True)

    def forward(self, moments: Tensor) -> Tensor:
        """[items, 4 width] of moments [items, moments, features]."""
        states = self.read(moments)[0]
        return torch.cat([states.amax(1), states.mean(1)], dim=1)


def convolutions(inputs: int, channels: tuple[int, int, int, int]) -> nn.Sequential:
    """Four convolutions to maps of ``channels``; the first, second and fourth halve the map."""
    widths = (inputs, *channels)
    return nn.Sequential(
        *(_convolution(*one) for one in zip(widths, channels, (2, 2, 1, 2), strict=False))
    )


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Three by three, normalised over the batch, rectified; halves the map for stride 2."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Tokens [texts, longest], padded with 0, and lengths [texts], both on the host."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    tokens = torch.zeros(len(sequences), int(lengths.max()), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
    return tokens, lengths
