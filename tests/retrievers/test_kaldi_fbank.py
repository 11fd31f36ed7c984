"""Kaldi's filter banks against the package that Kaldi's own code was taken into."""

from __future__ import annotations

import kaldi_native_fbank
import numpy as np
import pytest
import torch

from retrievers.encoders.kaldi_fbank import Window, kaldi_fbank


def _sound(rate: int, seconds: float) -> np.ndarray:
    """Noise and a tone: float32 [samples]."""
    rng = np.random.default_rng(0)
    times = np.arange(round(rate * seconds)) / rate
    noise = 0.1 * rng.standard_normal(len(times))
    return (noise + 0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def _peer(samples: np.ndarray, rate: int, mels: int, window: Window) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = mels
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(rate, samples)
    return np.stack([computer.get_frame(row) for row in range(computer.num_frames_ready)])


@pytest.mark.parametrize("window", ["hanning", "povey"])
@pytest.mark.parametrize(("rate", "mels"), [(16_000, 23), (16_000, 64), (22_050, 64)])
def test_is_what_kaldi_computes(rate: int, mels: int, window: Window) -> None:
    samples = _sound(rate, 0.33)
    ours = kaldi_fbank(samples, rate, mels=mels, window=window).numpy()
    np.testing.assert_allclose(ours, _peer(samples, rate, mels, window), atol=2e-4)


def test_a_band_between_two_frequencies_of_the_spectrum_is_silent() -> None:
    bands = kaldi_fbank(_sound(16_000, 0.1), 16_000, mels=128)
    silence = kaldi_fbank(np.zeros(1600, np.float32), 16_000, mels=128)
    assert bands.shape == silence.shape == (8, 128)
    assert silence.unique().tolist() == pytest.approx([np.log(2.0**-23)])
    still = (bands == silence).all(dim=0)
    assert 0 < still.sum() < 32, "the low bands are narrower than the spectrum is fine"
    assert not still[64:].any()


def test_only_whole_frames_count() -> None:
    silences = [np.zeros(samples, np.float32) for samples in (0, 399, 400, 559, 560)]
    shapes = [tuple(kaldi_fbank(silence, 16_000, mels=8).shape) for silence in silences]
    assert shapes == [(0, 8), (0, 8), (1, 8), (1, 8), (2, 8)]


def test_a_frame_does_not_hear_a_constant() -> None:
    samples = torch.from_numpy(_sound(16_000, 0.1))
    shifted = kaldi_fbank(samples + 0.25, 16_000, mels=64)
    assert torch.allclose(shifted, kaldi_fbank(samples, 16_000, mels=64), atol=1e-3)
