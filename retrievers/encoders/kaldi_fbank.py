"""Log-mel filter banks as Kaldi computes them, for networks that were trained on those.

The package kaldi-native-fbank refuses the many narrow bands that such networks want: of 128 at
16 kHz some lie between two frequencies of the spectrum. Here such a band is silent, as it is in
``torchaudio.compliance.kaldi.fbank``, which the networks were trained with.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from datasets.base import SampleArray

Window = Literal["hanning", "povey"]

_PREEMPHASIS = 0.97
_POWER: dict[Window, float] = {"hanning": 1.0, "povey": 0.85}
# What is not above it counts as it: the logarithm of silence is -15.94.
_LEAST_ENERGY = torch.finfo(torch.float32).eps


def kaldi_fbank(
    samples: Tensor | SampleArray,
    rate: int,
    *,
    mels: int,
    frame_length_ms: float = 25.0,
    frame_shift_ms: float = 10.0,
    window: Window = "hanning",
    lowest: float = 20.0,
) -> Tensor:
    """The logarithm of the energy in each band, float32 [frames, mels].

    samples  float32 [samples], ``rate`` a second. Kaldi means numbers of 16 bits, but most
             networks were given -1 to 1, less the mean of the sound: that is the caller's
    window   the shape of a frame: Hann's, or Kaldi's own, which is its power of 0.85
    lowest   where the first band begins, Hz; the last one ends at half the rate

    Only whole frames count: a sound shorter than one has none. Each frame loses its own mean,
    then is pre-emphasised with 0.97; nothing random is added (Kaldi's dither is 0).
    """
    sound = torch.as_tensor(samples, dtype=torch.float32)
    length = int(rate * frame_length_ms / 1000)
    if len(sound) < length:
        return sound.new_zeros((0, mels))
    frames = sound.unfold(0, length, int(rate * frame_shift_ms / 1000))
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat((frames[:, :1], frames[:, :-1]), dim=1)
    shape = torch.hann_window(length, periodic=False, device=sound.device) ** _POWER[window]
    points = 1 << (length - 1).bit_length()
    spectrum = torch.fft.rfft((frames - _PREEMPHASIS * before) * shape, n=points)
    bands = _bands(rate, points, mels, lowest).to(sound.device)
    # The bands leave out the last frequency, half the rate.
    energy = spectrum[:, :-1].abs().square() @ bands.T
    return energy.clamp(min=_LEAST_ENERGY).log()


@cache
def _bands(rate: int, points: int, mels: int, lowest: float) -> Tensor:
    """Triangles of height 1 over the spectrum, [mels, points // 2].

    They are evenly spaced, and their sides straight, in mels: 1127 ln(1 + f / 700).
    """
    first, last = (1127 * math.log(1 + hertz / 700) for hertz in (lowest, rate / 2))
    step = (last - first) / (mels + 1)
    pitches = 1127 * (1 + torch.arange(points // 2) * (rate / points) / 700).log()
    places = (pitches - first) / step - torch.arange(1, mels + 1)[:, None]
    return (1 - places.abs()).clamp(min=0.0)
