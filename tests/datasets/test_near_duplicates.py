"""Signatures of media, and which of them are nearly the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datasets.base import Sound
from datasets.media.signatures import picture_signature, sound_signature
from datasets.near_duplicates import DISTANCE, near_duplicates
from tests.datasets.tiny_files import tone

WORDS = st.integers(0, 2**64 - 1)


def bits_apart(first: int | None, second: int | None) -> int:
    assert first is not None and second is not None
    return (first ^ second).bit_count()


@st.composite
def crowded(draw: st.DrawFn) -> list[int]:
    """Words of which many differ from another in a few bits."""
    words = draw(st.lists(WORDS, max_size=12))
    for _ in range(draw(st.integers(0, 6)) if words else 0):
        flips = draw(st.lists(st.integers(0, 63), max_size=5))
        word = draw(st.sampled_from(words))
        for flip in flips:
            word ^= 1 << flip
        words.append(word)
    return words


@given(crowded(), st.integers(0, 64))
def test_near_duplicates_agree_with_every_pair_compared(words: list[int], distance: int) -> None:
    expected = [
        any(
            (word ^ other).bit_count() <= distance
            for there, other in enumerate(words)
            if there != here
        )
        for here, word in enumerate(words)
    ]
    assert near_duplicates(np.array(words, np.uint64), distance).tolist() == expected


def test_near_duplicates_in_different_blocks() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, 5000, np.uint64)
    words[4900] = words[17] ^ np.uint64(0b101)
    assert np.flatnonzero(near_duplicates(words)).tolist() == [17, 4900]


def scene(seed: int) -> np.ndarray:
    """A smooth picture with features everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((180, 160), Image.Resampling.BICUBIC))


def test_the_bits_of_a_picture_by_hand() -> None:
    columns = np.array([90, 60, 80, 50, 70, 40, 60, 30, 50], np.uint8)
    picture = np.tile(columns.repeat(10)[None, :, None], (80, 1, 3))
    assert picture_signature(picture) == int("10" * 32, 2)


def test_a_picture_survives_size_and_compression() -> None:
    for seed in range(10):
        stream = io.BytesIO()
        Image.fromarray(scene(seed)).resize((90, 80)).save(stream, "JPEG", quality=50)
        again = np.asarray(Image.open(stream))
        assert bits_apart(picture_signature(scene(seed)), picture_signature(again)) <= DISTANCE
        assert bits_apart(picture_signature(scene(seed)), picture_signature(scene(99))) > 12


@pytest.mark.parametrize("grey", [0, 7, 255])
def test_a_blank_picture_has_no_signature(grey: int) -> None:
    assert picture_signature(np.full((50, 60, 3), grey, np.uint8)) is None


def hum(seed: int) -> np.ndarray:
    """Five seconds of 16 kHz in which bands of noise come and go, float32 [1, samples]."""
    generator = np.random.default_rng(seed)
    time = np.arange(80_000) / 16_000
    sound = np.zeros(80_000)
    for hertz in np.geomspace(120, 3500, 24):
        level = np.interp(time, np.linspace(0, 5, 10), generator.uniform(0.05, 1, 10))
        sound += level * np.sin(2 * np.pi * hertz * time + generator.uniform(0, 6))
    return (sound / 30).astype(np.float32)[None]


def test_a_sound_survives_rate_loudness_and_channels() -> None:
    for seed in range(5):
        first = sound_signature([Sound(hum(seed), 16_000)])
        louder = soxr.resample(hum(seed)[0] * 2.5, 16_000, 44_100).astype(np.float32)
        assert bits_apart(first, sound_signature([Sound(np.stack([louder] * 2), 44_100)])) <= 3
        assert bits_apart(first, sound_signature([Sound(hum(99), 16_000)])) > 12


@pytest.mark.parametrize("cuts", [[1], [1_600], [799, 800, 40_001], [5, 7, 79_999]])
def test_the_blocks_of_a_sound_do_not_matter(cuts: list[int]) -> None:
    whole = hum(0)
    parts = [Sound(part, 16_000) for part in np.split(whole, cuts, axis=1)]
    assert sound_signature(parts) == sound_signature([Sound(whole, 16_000)])


def test_sounds_without_features_have_no_signature() -> None:
    for samples in (np.zeros((1, 80_000), np.float32), tone(5.0), tone(0.5), np.zeros((1, 0))):
        assert sound_signature([Sound(samples.astype(np.float32), 16_000)]) is None
    assert sound_signature([]) is None
