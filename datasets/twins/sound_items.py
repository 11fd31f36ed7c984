"""Items of the sound twins: a soundscape, its captions and its samples."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import soundfile

from datasets.twins.sound_captions import Caption, describe
from datasets.twins.sound_synthesis import RATE, render
from datasets.twins.soundscapes import Form, Soundscape, sample_soundscape, sibling
from datasets.twins.spots import Spot, often_sibling

SIBLING_SHARE = 0.55


@dataclass(frozen=True)
class Example:
    """A soundscape and its captions."""

    scape: Soundscape
    captions: tuple[Caption, ...]


def example_at(spot: Spot, captions: int, form: Form) -> Example:
    """The item at a spot, without its sound."""
    scape = scape_at(spot, form)
    return Example(scape, tuple(describe(scape, spot.generator("captions"), captions)))


def scape_at(spot: Spot, form: Form) -> Soundscape:
    """The soundscape of an item, often a sibling of that of its even neighbour."""

    def draw(rng: random.Random) -> Soundscape:
        return sample_soundscape(form, rng)

    def other(before: Soundscape, rng: random.Random) -> Soundscape:
        return sibling(before, rng) or draw(rng)

    return often_sibling(spot, "soundscape", SIBLING_SHARE, draw, other)


def write_sound(path: Path, spot: Spot, scape: Soundscape) -> None:
    """Synthesise the item's sound and write it, 16 bits, in the format that the suffix names."""
    soundfile.write(path, render(scape, spot.generator("looks")), RATE, subtype="PCM_16")
