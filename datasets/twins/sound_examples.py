"""One item of a twin of sounds: its soundscape, its captions and its samples.

Every odd item may be a sibling of the item before it: the same words bound otherwise. An item
depends on its twin, seed, split and place alone, so that neither the number of worker processes
nor their order shows in the files.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from datasets.twins.sound_captions import Caption, describe
from datasets.twins.sound_synthesis import RATE, render
from datasets.twins.soundscapes import Form, Soundscape, sample_soundscape, sibling

SIBLING_SHARE = 0.55


@dataclass(frozen=True)
class Place:
    """Which item: the ``place``-th of a split of a twin made from a seed."""

    twin: str
    seed: int
    split: str
    place: int

    def chance(self, what: str) -> random.Random:
        """The generator of one aspect of the item."""
        return random.Random(f"{self.twin}/{self.seed}/{self.split}/{self.place}/{what}")


@dataclass(frozen=True)
class Example:
    """A soundscape and its captions."""

    scape: Soundscape
    captions: tuple[Caption, ...]


def example(form: Form, at: Place, captions: int) -> Example:
    """The item at a place, without its sound."""
    scape = _soundscape(form, at)
    return Example(scape, tuple(describe(scape, at.chance("captions"), captions)))


def samples(scape: Soundscape, at: Place) -> npt.NDArray[np.int16]:
    """The item's sound, mono [samples] at ``sound_synthesis.RATE``."""
    return render(scape, at.chance("looks"))


def write_sound(path: Path, sound: npt.NDArray[np.int16]) -> None:
    """Write samples of 16 bits in the format that the file's extension names."""
    soundfile.write(path, sound, RATE, subtype="PCM_16")


def _soundscape(form: Form, at: Place) -> Soundscape:
    rng = at.chance("soundscape")
    if at.place % 2 == 1 and rng.random() < SIBLING_SHARE:
        before = _soundscape(form, Place(at.twin, at.seed, at.split, at.place - 1))
        other = sibling(before, rng)
        if other is not None:
            return other
    return sample_soundscape(form, rng)
