"""Sounds for the tiny dual tower: log-mel pictures of a few windows, read in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.base import Item
from datasets.media.sampling import WindowSampling
from datasets.media.sounds import decode_windows
from retrievers.encoders.tiny.log_mel import SILENCE, log_mel
from retrievers.encoders.tiny.towers import Detectors, InOrder, convolutions

# Log energies from silence to beyond full scale, spread over a byte: under half a decibel a step.
_LOUDEST = 3.0
_STEPS = 255.0 / (_LOUDEST - SILENCE)


@dataclass(frozen=True)
class TinySounds:
    """How sounds are read and encoded; meets ``Medium``.

    A sound of ``seconds`` or less is seen whole, behind it silence. Of a longer one ``windows``
    are spread from beginning to end: each step of the training sees one of them, drawn at
    random, and the vector of the sound is the mean of theirs.

    hop        milliseconds from one column of the log-mel picture to the next
    mels       rows of it, a multiple of 8
    channels   of the four convolutions; the picture is halved by the first, second and fourth
    detectors  features looked for at each place in pitch and time
    width      of the reading of the moments in each direction
    shift      columns by which a sound is moved at random, earlier or later
    """

    rate: int = 16_000
    seconds: float = 6.0
    windows: int = 3
    hop: int = 40
    mels: int = 64
    channels: tuple[int, int, int, int] = (16, 32, 32, 64)
    detectors: int = 192
    width: int = 96
    shift: int = 5

    @property
    def columns(self) -> int:
        return int(self.rate * self.seconds) // self._hop_samples

    @property
    def bytes_per_item(self) -> int:
        return self.windows * self.mels * self.columns

    def read(self, items: Sequence[Item]) -> Tensor:
        """uint8 [items, windows, mels, columns]: log energies, under half a decibel a step."""
        kept = torch.zeros(len(items), self.windows, self.mels, self.columns, dtype=torch.uint8)
        sampling = WindowSampling(self.rate, self.seconds, self.windows, place="spread")
        for row, windows in enumerate(decode_windows(items, sampling)):
            # All windows of a short sound are the same one: it is looked at once.
            distinct = windows[:1] if (windows == windows[:1]).all() else windows
            kept[row] = self._picture(torch.from_numpy(distinct))
        return kept

    def values(self, kept: Tensor) -> Tensor:
        """[items, windows, mels, columns]"""
        return (kept.float() - 60.0) / 50.0

    def vary(self, kept: Tensor, rng: np.random.Generator) -> Tensor:
        """One window of each [items, 1, mels, columns], moved in time, softer or louder by a bit.

        Loudness and pitch are told in captions, so they change by about a decibel and not at
        all; time is never reversed nor stretched.
        """
        chosen = torch.from_numpy(rng.integers(0, self.windows, len(kept)))
        picture = kept[torch.arange(len(kept)), chosen]
        padded = F.pad(picture, (self.shift, self.shift))
        starts = torch.from_numpy(rng.integers(0, 2 * self.shift + 1, len(kept)))
        columns = starts[:, None] + torch.arange(self.columns)
        moved = padded.gather(2, columns[:, None].expand(-1, self.mels, -1))
        louder = torch.from_numpy(rng.normal(0.0, 0.04, (len(kept), 1, 1, 1))).float()
        noise = torch.from_numpy(rng.normal(0.0, 0.1, (len(kept), 1, self.mels, 1))).float()
        return self.values(moved[:, None]) + louder + noise

    def network(self, dim: int) -> nn.Module:
        return _SoundTower(self, dim)

    @property
    def _hop_samples(self) -> int:
        return self.rate * self.hop // 1000

    def _picture(self, windows: Tensor) -> Tensor:
        energies = log_mel(windows, self.rate, mels=self.mels, hop=self._hop_samples)
        return ((energies - SILENCE) * _STEPS).round().clamp(0, 255).to(torch.uint8)


class _SoundTower(nn.Module):
    """Detectors of pitch and time, the strongest of each moment read in the order of time."""

    def __init__(self, sizes: TinySounds, dim: int) -> None:
        super().__init__()
        self.convolutions = convolutions(1, sizes.channels)
        self.detect = Detectors(
            sizes.channels[-1], sizes.detectors, (sizes.mels // 8, -(-sizes.columns // 8))
        )
        self.read = InOrder(sizes.detectors, sizes.width)
        self.project = nn.Linear(2 * sizes.detectors + 4 * sizes.width, dim)

    def forward(self, pictures: Tensor) -> Tensor:
        """Unit vectors [sounds, dim] of pictures [sounds, windows, mels, columns]."""
        sounds, windows = pictures.shape[:2]
        maps = self.detect(self.convolutions(pictures.flatten(0, 1)[:, None]))
        moments = maps.amax(2).transpose(1, 2)
        pooled = [maps.amax((2, 3)), maps.mean((2, 3)), self.read(moments)]
        vectors = F.normalize(self.project(torch.cat(pooled, dim=1)), dim=1)
        return F.normalize(vectors.view(sounds, windows, -1).mean(1), dim=1)
