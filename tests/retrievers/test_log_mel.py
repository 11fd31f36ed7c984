"""Log-mel pictures, against a slow transform and the mel bands of another package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.audio_utils import mel_filter_bank

from retrievers.encoders.tiny.log_mel import SILENCE, log_mel, mel_bands

RATE = 16_000
HOP = 640


def _tone(hertz: float, seconds: float = 0.5, amplitude: float = 1.0) -> torch.Tensor:
    time = torch.arange(int(RATE * seconds)) / RATE
    return (amplitude * torch.sin(2 * torch.pi * hertz * time))[None]


def test_bands_are_those_of_another_package() -> None:
    theirs = mel_filter_bank(
        num_frequency_bins=513,
        num_mel_filters=40,
        min_frequency=50.0,
        max_frequency=RATE / 2,
        sampling_rate=RATE,
        mel_scale="htk",
    )
    np.testing.assert_allclose(mel_bands(RATE, 1024, 40, 50.0), theirs.T, atol=1e-5)


def test_a_moment_is_the_sum_of_a_plain_fourier_transform() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 4 * HOP).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2 * HOP) / (2 * HOP))
    padded = np.concatenate([np.zeros(HOP // 2), samples, np.zeros(2 * HOP)])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(1025), np.arange(2 * HOP)) / 2048)
    power = abs(turns @ (window * padded[2 * HOP : 4 * HOP]) / (window.sum() / 2)) ** 2
    expected = np.log(mel_bands(RATE, 2048, 16, 50.0) @ power)
    found = log_mel(torch.from_numpy(samples)[None], RATE, mels=16, hop=HOP)
    np.testing.assert_allclose(found[0, :, 2], expected, rtol=1e-3)


@pytest.mark.parametrize("hertz", [200.0, 440.0, 1000.0, 5000.0])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(hertz: float) -> None:
    found = log_mel(_tone(hertz), RATE, mels=64, hop=HOP)[0, :, 6]
    mels = 2595 * np.log10(1 + np.array([50.0, RATE / 2, hertz]) / 700)
    band = round((mels[2] - mels[0]) / (mels[1] - mels[0]) * 65) - 1
    assert abs(int(found.argmax()) - band) <= 1
    assert -1.0 < float(found.max()) < 2.0


def test_a_tenth_of_the_amplitude_is_twenty_decibels_less() -> None:
    loud, soft = (
        log_mel(_tone(440, amplitude=one), RATE, mels=32, hop=HOP).max() for one in (1.0, 0.1)
    )
    assert float(loud - soft) == pytest.approx(np.log(100), rel=1e-3)


def test_silence_is_at_the_floor() -> None:
    found = log_mel(torch.zeros(2, RATE), RATE, mels=64, hop=HOP)
    assert found.shape == (2, 64, RATE // HOP)
    np.testing.assert_allclose(found, SILENCE, rtol=1e-5)


def test_a_click_stands_in_the_column_of_its_moment() -> None:
    samples = torch.zeros(1, 10 * HOP)
    samples[0, 7 * HOP + HOP // 2] = 1.0
    assert int(log_mel(samples, RATE, mels=32, hop=HOP).sum(1).argmax()) == 7


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 3), st.floats(0, 1))
def test_no_column_is_without_a_number(columns: int, sounds: int, loudness: float) -> None:
    noise = loudness * (2 * torch.rand(sounds, columns * HOP) - 1)
    found = log_mel(noise, RATE, mels=16, hop=HOP)
    assert found.shape == (sounds, 16, columns)
    assert bool(torch.isfinite(found).all())
