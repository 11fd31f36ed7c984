"""Pictures, videos and sounds as LanguageBind was given them.

The authors' processors resize floating-point pixels, which the torchvision of their requirements
(0.14) does without antialiasing, unlike Pillow. Two of their steps are random, also when a network
is only asked: a video is flipped now and then, and where the three windows of a long sound begin
is drawn. Here no video is flipped, and each window begins with its third.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datasets.base import ByteArray, Item, SampleArray
from datasets.media.images import decode_images
from datasets.media.sampling import FrameNumbers, WindowSampling
from datasets.media.sounds import decode_windows
from datasets.media.videos import decode_clips
from retrievers.encoders.kaldi_fbank import kaldi_fbank
from retrievers.encoders.pictures import CLIP_MEAN, CLIP_STD

RATE = 16_000
# Of the authors' training sounds; they divide by twice the deviation.
_MEAN, _DEVIATION = -4.2677393, 4.5689974
_LEAST = round(0.025 * RATE)
# Of a picture that is longer than so many times its short side, the ends are not even resized.
_LONGEST = 16
# The whole of a sound, of which an hour is heard at most; the authors' fbank hears one channel.
_WHOLE = WindowSampling(RATE, seconds=3600.0, pad="nothing", mono="first")


def pictures(side: int, items: Sequence[Item]) -> Iterator[Tensor]:
    """float32 [1, 3, side, side] of each image. Raises MediaError."""
    return (_centre(pixels[None], side, "bicubic") for pixels in decode_images(items))


def videos(side: int, frames: int, items: Sequence[Item]) -> Iterator[Tensor]:
    """float32 [frames, 3, side, side] of each video. Raises MediaError."""
    clips = decode_clips(items, FrameNumbers(frames))
    return (_centre(clip.frames, side, "bilinear") for clip in clips)


def _centre(frames: ByteArray, side: int, mode: Literal["bicubic", "bilinear"]) -> Tensor:
    """float32 [frames, 3, side, side] of uint8 [frames, height, width, 3].

    The short side becomes ``side``, and the centre is cut out.
    """
    short = min(frames.shape[1:3])
    near = _cut(torch.from_numpy(frames.copy()).permute(0, 3, 1, 2), _LONGEST * short)
    size = [side * length // short for length in near.shape[2:]]
    resized = functional.interpolate(near.float() / 255, size, mode=mode, align_corners=False)
    cut = _cut(resized, side)
    mean, deviation = (torch.tensor(one)[:, None, None] for one in (CLIP_MEAN, CLIP_STD))
    return (cut - mean) / deviation


def _cut(pixels: Tensor, side: int) -> Tensor:
    """The centre [..., side, side], or all of a dimension that is no longer."""
    top, left = (max(0, round((length - side) / 2)) for length in pixels.shape[-2:])
    return pixels[..., top : top + side, left : left + side]


@dataclass(frozen=True)
class Spectrum:
    """How a sound becomes the input of the network: ``mels`` bands in ``frames`` of 10 ms."""

    mels: int
    frames: int

    def sounds(self, items: Sequence[Item]) -> Iterator[Tensor]:
        """float32 [1, 3, mels, frames] of each sound. Raises MediaError."""
        return (self.windows(samples) for (samples,) in decode_windows(items, _WHOLE))

    def windows(self, samples: SampleArray) -> Tensor:
        """float32 [1, 3, mels, frames] of float32 [samples] at 16 kHz.

        Three windows stand where a picture has its colours. Each begins with a third of the
        places where one can; a sound that is no longer than a window is repeated to fill it, and
        all three are the same.
        """
        sound = np.pad(samples - samples.mean(), (0, max(0, _LEAST - len(samples))))
        bands = kaldi_fbank(sound, RATE, mels=self.mels, window="hanning")
        if len(bands) < self.frames:
            bands = bands.repeat(self.frames // len(bands) + 1, 1)[: self.frames]
        places = np.array_split(np.arange(len(bands) - self.frames + 1), 3)
        starts = [int(third[0]) if len(third) else 0 for third in places]
        windows = torch.stack([bands[start : start + self.frames].T for start in starts])
        return ((windows - _MEAN) / (2 * _DEVIATION))[None]
