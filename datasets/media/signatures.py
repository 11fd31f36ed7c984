"""Signatures of 64 bits: media that look or sound nearly the same differ in few of them.

A bit says which of two neighbouring measurements is the larger, so scale and gain do not matter.
Where most neighbours are equal (a blank picture, silence, a steady tone) the bits would say
nothing and all such media would seem the same: these have no signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from datasets.base import ByteArray, SampleArray, Sound

# How many of the 64 differences must be clear for a signature to be given.
_CLEAR = 32
_GREY_LEVELS = 2.0
_DECIBELS = 0.5
_SECTIONS, _BANDS = 9, 9
_LOWEST_HERTZ, _HIGHEST_HERTZ = 100.0, 3_600.0
# Below this, relative to full scale, a band is taken for silent.
_FLOOR = 1e-10


def picture_signature(picture: ByteArray) -> int | None:
    """The difference hash of a picture, uint8 [height, width, 3].

    It is reduced to 9 x 8 grey values; a bit is set where one is brighter than its right
    neighbour. None for a picture without clear differences.
    """
    whole = Image.fromarray(np.ascontiguousarray(picture)).convert("L")
    grey = np.asarray(whole.resize((9, 8), Image.Resampling.BOX)).astype(np.float64)
    return _signature(grey[:, :-1] - grey[:, 1:], _GREY_LEVELS)


def sound_signature(blocks: Iterable[Sound]) -> int | None:
    """The signature of a sound that comes in blocks of one rate.

    Its level is measured in 9 equal sections of time and 9 bands from 100 to 3,600 Hz, spaced
    evenly in pitch. A bit is set where a band gains on the next higher one from a section to the
    next, as in the fingerprints of Haitsma and Kalker (ISMIR 2002): the loudness of the whole
    does not matter. None for a sound without clear differences or of less than a second.
    """
    powers = [_band_powers(stretch, rate) for stretch, rate in _stretches(blocks)]
    if len(powers) < _SECTIONS:
        return None
    sections = np.stack([part.mean(axis=0) for part in np.array_split(powers, _SECTIONS)])
    level = 10 * np.log10(sections + _FLOOR)
    return _signature(np.diff(np.diff(level, axis=0), axis=1), _DECIBELS)


def _stretches(blocks: Iterable[Sound]) -> Iterator[tuple[SampleArray, int]]:
    """A tenth of a second after the other, mono, with the rate; an unfinished last one is left."""
    rest = np.zeros(0, np.float32)
    for block in blocks:
        mono = np.concatenate([rest, block.samples.mean(axis=0)])
        size = max(1, block.rate // 10)
        whole = len(mono) // size * size
        for stretch in mono[:whole].reshape(-1, size):
            yield stretch, block.rate
        rest = mono[whole:]


def _band_powers(stretch: SampleArray, rate: int) -> npt.NDArray[np.float64]:
    """The mean square in each band, float64 [bands]; a band beyond what the rate holds is 0."""
    spectrum = np.fft.rfft(stretch * np.hanning(len(stretch)))
    power = (np.abs(spectrum) / len(stretch)) ** 2
    pitches = np.geomspace(_LOWEST_HERTZ, _HIGHEST_HERTZ, _BANDS + 1)
    edges = np.searchsorted(np.fft.rfftfreq(len(stretch), 1 / rate), pitches)
    sums = np.concatenate([[0.0], np.cumsum(power)])[edges]
    return np.diff(sums)


def _signature(differences: npt.NDArray[np.float64], clear: float) -> int | None:
    if (np.abs(differences) >= clear).sum() < _CLEAR:
        return None
    return int.from_bytes(np.packbits(differences.ravel() > 0).tobytes())
