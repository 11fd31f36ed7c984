"""Makes soundscapes heard: additive and noise synthesis with NumPy.

What no caption mentions (detuning, phases, exact levels, noise) comes from the given generator,
so that two sounds of one soundscape differ.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from datasets.twins.soundscapes import Event, Soundscape

RATE = 16_000

FloatArray = npt.NDArray[np.float64]
Generator = np.random.Generator

# Peak levels; a soft event lies 14 dB under a loud one and well over the background.
PEAK = {"loud": 0.45, "soft": 0.09}
# Root mean square of each background.
FLOOR = {
    "quiet": 0.0003,
    "rain": 0.011,
    "wind": 0.016,
    "hum": 0.014,
    "crowd": 0.01,
    "crickets": 0.008,
    "sea": 0.01,
}
# Seconds of noise that are drawn; more is had by repeating them, which no one hears.
NOISE = 2.0
# Points of a tabulated cycle.
TABLE = 1024
# Hertz in the middle of the sound.
CENTRES = {
    "bell": {"low": 420.0, "high": 1150.0},
    "whistle": {"low": 850.0, "high": 2300.0},
    "buzzer": {"low": 110.0, "high": 330.0},
    "horn": {"low": 165.0, "high": 420.0},
    "drum": {"low": 62.0, "high": 210.0},
}
# A glide goes from the centre divided by this to the centre times this, or back.
GLIDE = {"whistle": 1.4, "horn": 1.45, "engine": 1.55}
PAUSE = 0.15
RING = {"bell": 0.48, "drum": 0.3, "bird": 0.24, "drop": 0.14, "knock": 0.12}


def render(scape: Soundscape, rng: random.Random) -> npt.NDArray[np.int16]:
    """The soundscape as mono samples [seconds x RATE] of 16 bits."""
    generator = np.random.default_rng(rng.getrandbits(64))
    samples = round(scape.seconds * RATE)
    floor = BACKDROP[scape.background](samples, generator)
    level = FLOOR[scape.background] * generator.uniform(0.75, 1.3)
    mix = floor * (level / np.sqrt(np.mean(floor * floor)))
    for event in scape.events:
        sound = _sound(event, generator)
        start = round(event.start * RATE)
        stretch = mix[start : start + len(sound)]
        stretch += sound[: len(stretch)]
    return np.rint(np.clip(mix, -1.0, 1.0) * 32767.0).astype(np.int16)


def _sound(event: Event, generator: Generator) -> FloatArray:
    """The event alone, every repetition at the same level but not the same in detail."""
    slot = event.length / event.times
    ring = RING.get(event.source, slot if event.times == 1 else slot - PAUSE)
    count = round(min(ring, slot) * RATE)
    detune = generator.uniform(0.96, 1.04)
    peak = PEAK[event.loudness] * generator.uniform(0.85, 1.15)
    sound = np.zeros(round(event.length * RATE) + 1)
    for repetition in range(event.times):
        start = round(repetition * slot * RATE)
        stroke = _faded(VOICES[event.source](event, count, detune, generator))
        stroke *= peak / np.max(np.abs(stroke))
        stretch = sound[start : start + count]
        stretch += stroke[: len(stretch)]
    return sound


def _faded(sound: FloatArray) -> FloatArray:
    """Without clicks where it begins and ends."""
    attack, release = 48, min(320, len(sound) // 4)
    sound[:attack] *= np.linspace(0.0, 1.0, attack)
    sound[-release:] *= np.linspace(1.0, 0.0, release)
    return sound


def _times(count: int) -> FloatArray:
    return np.arange(count) / RATE


def _phase(hertz: FloatArray, generator: Generator) -> FloatArray:
    """Cycles run through at every sample, from a random point of the first."""
    return np.cumsum(hertz) / RATE + generator.random()


def _even_phase(count: int, hertz: float, generator: Generator) -> FloatArray:
    """Cycles run through at every sample at one frequency, from a random point of the first."""
    return _times(count) * hertz + generator.random()


def _glide(event: Event, count: int, centre: float) -> FloatArray:
    """Hertz at every sample: up, down or level."""
    direction = {"rising": 1.0, "falling": -1.0}.get(event.movement or "steady", 0.0)
    return centre * GLIDE[event.source] ** (direction * np.linspace(-1.0, 1.0, count))


def _cycle(phase: FloatArray, strengths: Sequence[float], generator: Generator) -> FloatArray:
    """A periodic wave of harmonics 1, 2, ... in random phases; its root mean square is 1.

    It is read from one tabulated cycle, which takes no longer for many harmonics than for few.
    """
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    turns = np.exp(2j * np.pi * generator.random(len(strengths)))
    spectrum[1 : len(strengths) + 1] = np.asarray(strengths) * turns
    table = np.fft.irfft(spectrum)
    return (table / np.std(table))[(phase * TABLE).astype(np.int32) % TABLE]


def _centre(event: Event, detune: float) -> float:
    return CENTRES[event.source][event.pitch or "low"] * detune


def _bell(event: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """Inharmonic partials, the upper ones dying first."""
    seconds, base = _times(count), _centre(event, detune)
    sound = np.zeros(count)
    for ratio, strength, decay in ((1.0, 1.0, 7.0), (2.4, 0.7, 9.0), (4.1, 0.5, 14.0)):
        tone = np.sin(2 * np.pi * (base * ratio * seconds + generator.random()))
        sound += strength * tone * np.exp(-decay * seconds)
    return sound


def _whistle(event: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """One tone and a little breath."""
    phase = _phase(_glide(event, count, _centre(event, detune)), generator)
    return np.sin(2 * np.pi * phase) + 0.012 * generator.standard_normal(count)


def _horn(event: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """All harmonics, falling off."""
    phase = _phase(_glide(event, count, _centre(event, detune)), generator)
    return _cycle(phase, [k**-0.8 for k in range(1, 9)], generator)


def _buzzer(event: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """Odd harmonics up to the highest that sound, roughened by a fast tremor."""
    base = _centre(event, detune)
    strengths = [float(k % 2) * k**-0.15 for k in range(1, int(6500 / base))]
    phase = _even_phase(count, base, generator)
    tremor = 0.55 + 0.45 * np.sign(np.sin(2 * np.pi * 24.0 * detune * _times(count)))
    return tremor * _cycle(phase, strengths, generator)


def _drum(event: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """A skin whose tone sinks, and the stick."""
    seconds = _times(count)
    sinking = _centre(event, detune) * (1.0 + 0.6 * np.exp(-30.0 * seconds))
    skin = np.sin(2 * np.pi * _phase(sinking, generator)) * np.exp(-11.0 * seconds)
    stick = generator.standard_normal(count) * np.exp(-140.0 * seconds)
    return skin + 0.12 * stick


def _bird(_: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """A tweet that climbs and falls."""
    part = np.linspace(0.0, 1.0, count)
    hertz = detune * (2900.0 + 2300.0 * np.sin(np.pi * part) ** 2)
    return np.sin(2 * np.pi * _phase(hertz, generator)) * np.sin(np.pi * part) ** 0.7


def _drop(_: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """A bubble whose tone shoots up while it dies."""
    seconds = _times(count)
    hertz = detune * 500.0 * np.exp(11.0 * seconds)
    return np.sin(2 * np.pi * _phase(hertz, generator)) * np.exp(-22.0 * seconds)


def _knock(_: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """Wood: noise in all bands that dies at once, over a dull resonance."""
    seconds = _times(count)
    noise = generator.standard_normal(count) * np.exp(-75.0 * seconds)
    wood = np.sin(2 * np.pi * 520.0 * detune * seconds) * np.exp(-45.0 * seconds)
    return noise + 0.8 * wood


def _engine(event: Event, count: int, detune: float, generator: Generator) -> FloatArray:
    """Low harmonics with a whine among them, and a rattle, beating like cylinders."""
    hertz = _glide(event, count, 88.0 * detune)
    phase = _phase(hertz, generator)
    strengths = [k**-0.7 for k in range(1, 13)]
    strengths[7] = 1.1
    beat = 0.65 + 0.35 * np.sin(2 * np.pi * phase / 8.0)
    rattle = 0.4 * generator.standard_normal(count)
    return beat * (_cycle(phase, strengths, generator) + rattle)


Voice = Callable[[Event, int, float, Generator], FloatArray]

VOICES: dict[str, Voice] = {
    "bell": _bell,
    "whistle": _whistle,
    "buzzer": _buzzer,
    "horn": _horn,
    "drum": _drum,
    "bird": _bird,
    "drop": _drop,
    "knock": _knock,
    "engine": _engine,
}


def _noise(count: int, low: float, high: float, generator: Generator, tilt: float) -> FloatArray:
    """Noise between two frequencies in hertz, its strength falling as frequency ** -tilt.

    Under it, 40 dB weaker, lies noise at all frequencies.
    """
    drawn = round(NOISE * RATE)
    hertz = np.arange(1, drawn // 2 + 1) / NOISE
    strength = np.where((hertz >= low) & (hertz < high), hertz**-tilt, 0.0)
    strength += 0.01 * strength.max()
    draws = generator.standard_normal((2, len(hertz)))
    spectrum = np.concatenate(([0.0], (draws[0] + 1j * draws[1]) * strength))
    sound = np.fft.irfft(spectrum, drawn)
    return np.resize(sound / np.std(sound), count)


def _swell(count: int, per_second: float, depth: float, generator: Generator) -> FloatArray:
    """A slowly changing strength between 1 - depth and 1."""
    points = max(2, round(count / RATE * per_second) + 2)
    drawn = 1.0 - depth * generator.random(points)
    return np.interp(np.linspace(0, points - 1, count), np.arange(points), drawn)


def _quiet(count: int, generator: Generator) -> FloatArray:
    return _noise(count, 0.0, RATE, generator, 0.0)


def _rain(count: int, generator: Generator) -> FloatArray:
    """A hiss with patter on it."""
    sound = _noise(count, 1200.0, 8000.0, generator, -0.2)
    drops = generator.integers(0, count, round(45 * count / RATE))
    sound[drops] += 14.0 * generator.choice((-1.0, 1.0), len(drops))
    return sound


def _wind(count: int, generator: Generator) -> FloatArray:
    return _noise(count, 40.0, 520.0, generator, 0.6) * _swell(count, 1.2, 0.8, generator)


def _hum(count: int, generator: Generator) -> FloatArray:
    base = generator.uniform(96.0, 106.0)
    tone = _cycle(_even_phase(count, base, generator), (1.0, 0.8, 0.1, 0.4), generator)
    return tone + 0.02 * _noise(count, 0.0, RATE, generator, 0.0)


def _crowd(count: int, generator: Generator) -> FloatArray:
    """Babble: three bands of a voice, each with syllables of its own."""
    bands = ((220.0, 520.0, 1.0), (600.0, 1200.0, 0.7), (1400.0, 2600.0, 0.4))
    sound = np.zeros(count)
    for low, high, strength in bands:
        band = _noise(count, low, high, generator, 0.0)
        sound += strength * band * _swell(count, 8.0, 1.0, generator) ** 2
    return sound


def _crickets(count: int, generator: Generator) -> FloatArray:
    """A tone near the top of hearing that chirps without a pause."""
    tone = _cycle(
        _even_phase(count, generator.uniform(6300.0, 7000.0), generator), (1.0,), generator
    )
    pulse = _even_phase(count, generator.uniform(7.0, 9.0), generator) % 1.0 < 0.5
    return tone * pulse + 0.02 * _noise(count, 0.0, RATE, generator, 0.0)


def _sea(count: int, generator: Generator) -> FloatArray:
    """Broad noise, wave upon wave."""
    seconds = _times(count)
    wave = np.sin(2 * np.pi * (generator.uniform(0.4, 0.55) * seconds + generator.random()))
    return _noise(count, 150.0, 5000.0, generator, 0.4) * (0.12 + (0.5 + 0.5 * wave) ** 2)


BACKDROP: dict[str, Callable[[int, Generator], FloatArray]] = {
    "quiet": _quiet,
    "rain": _rain,
    "wind": _wind,
    "hum": _hum,
    "crowd": _crowd,
    "crickets": _crickets,
    "sea": _sea,
}
