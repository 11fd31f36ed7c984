"""Log-mel spectrograms: how loud a sound is, moment by moment and pitch by pitch."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retrievers.base import FloatArray

# Well below the rounding of 16-bit samples: what is not above it is silence.
SILENCE = math.log(1e-9)


def log_mel(samples: Tensor, rate: int, *, mels: int, hop: int, lowest: float = 50.0) -> Tensor:
    """The logarithm of the energy in each band, [sounds, mels, samples // hop].

    samples  float32 [sounds, samples] in -1 to 1, ``rate`` a second
    hop      samples from one moment to the next; a moment is seen through a Hann window of two
             hops, as wide at the ends of the sound, where silence is put around it

    A sine of full amplitude has about 0 in its band, silence has ``SILENCE``.
    """
    length = 2 * hop
    window = torch.hann_window(length, device=samples.device)
    padded = F.pad(samples, (hop // 2, length - hop // 2))
    frames = padded.unfold(1, length, hop)[:, : samples.shape[1] // hop]
    points = 1 << (length - 1).bit_length()
    spectrum = torch.fft.rfft(frames * window, n=points) / (window.sum() / 2)
    bands = _bands(rate, points, mels, lowest).to(samples.device)
    energy = torch.view_as_real(spectrum).square().sum(-1) @ bands.T
    return energy.clamp(min=math.exp(SILENCE)).log().transpose(1, 2)


@cache
def _bands(rate: int, points: int, mels: int, lowest: float) -> Tensor:
    return torch.from_numpy(mel_bands(rate, points, mels, lowest))


def mel_bands(rate: int, points: int, mels: int, lowest: float) -> FloatArray:
    """Triangles of height 1, evenly spaced in mels, over the spectrum [mels, points // 2 + 1].

    Mels as in O'Shaughnessy, 2595 log10(1 + f / 700), from ``lowest`` Hz to half the rate.
    """
    first, last = 2595 * np.log10(1 + np.array([lowest, rate / 2]) / 700)
    corners = 700 * (10 ** (np.linspace(first, last, mels + 2) / 2595) - 1)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    frequencies = np.arange(points // 2 + 1) * rate / points
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
