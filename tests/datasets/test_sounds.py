"""Sounds: what is read, resampled, padded and left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from datasets.base import Item, Sound
from datasets.media.files import MediaError
from datasets.media.sampling import WindowSampling
from datasets.media.sounds import decode_windows, load_sound, load_windows, sound_blocks
from tests.datasets.tiny_files import audio_item, tone, write_aac, write_sound


def noise(channels: int, samples: int, seed: int = 0) -> Any:
    values = np.random.default_rng(seed).uniform(-1, 1, (channels, samples))
    return values.astype(np.float32)


@pytest.mark.parametrize(
    ("form", "subtype", "error"),
    [
        ("WAV", "FLOAT", 0.0),
        ("WAV", "PCM_U8", 1 / 127),
        ("WAV", "PCM_16", 1 / 32_767),
        ("WAV", "PCM_24", 1 / 8_388_607),
        ("FLAC", "PCM_16", 1 / 32_767),
        ("FLAC", "PCM_24", 1 / 8_388_607),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_samples_are_read_as_stored(
    tmp_path: Path, form: str, subtype: str, error: float, channels: int
) -> None:
    stored = noise(channels, 900)
    sound = load_sound(audio_item(write_sound(tmp_path / "a.wav", stored, 11_025, form, subtype)))
    assert sound.rate == 11_025 and sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, stored, atol=error)


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "")])
def test_lossy_sounds_come_close(tmp_path: Path, form: str, subtype: str) -> None:
    stored = tone(1.0, 48_000)
    sound = load_sound(audio_item(write_sound(tmp_path / "a", stored, 48_000, form, subtype)))
    assert sound.rate == 48_000 and sound.samples.shape == stored.shape
    # The coder fades the very end.
    assert np.abs(sound.samples - stored)[:, :-1000].max() < 0.05


@pytest.mark.parametrize("form", ["mp4", "adts"])
def test_aac_comes_close(tmp_path: Path, form: str) -> None:
    stored = tone(1.0, 44_100, channels=2)
    sound = load_sound(audio_item(write_aac(tmp_path / "a.m4a", stored, 44_100, form)))
    assert sound.rate == 44_100 and sound.samples.shape[0] == 2
    # Without a container nothing says which samples at either end are only the coder's.
    delay = {"mp4": 0, "adts": 1024}[form]
    assert abs(sound.samples.shape[1] - 44_100 - delay) < 1024
    inner = sound.samples[:, delay + 3000 : delay + 40_000]
    assert np.abs(inner - stored[:, 3000:40_000]).max() < 0.05


def test_mono_is_the_mean_of_the_channels(tmp_path: Path) -> None:
    stored = noise(5, 1000)
    path = write_sound(tmp_path / "a.wav", stored, 1000)
    (window,) = load_windows(audio_item(path), WindowSampling(1000, 1.0))
    np.testing.assert_allclose(window, stored.mean(axis=0), atol=1e-6)
    (first,) = load_windows(audio_item(path), WindowSampling(1000, 1.0, mono="first"))
    np.testing.assert_array_equal(first, stored[0])


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_051, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_becomes_the_one_asked_for(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "a.wav", tone(1.0, rate), rate)
    (window,) = load_windows(audio_item(path), WindowSampling(16_000, 1.0))
    assert window.shape == (16_000,) and window.dtype == np.float32
    assert np.abs(window - tone(1.0)[0])[200:-200].max() < 2e-3


@pytest.mark.parametrize("place", ["start", "middle", "spread"])
def test_windows_are_stretches_of_the_resampled_whole(tmp_path: Path, place: Any) -> None:
    stored = sum(tone(3.0, 44_100, hertz) for hertz in (330.0, 700.0, 1900.0)) / 3
    path = write_sound(tmp_path / "a.wav", stored, 44_100)
    sampling = WindowSampling(16_000, 0.5, 3, place)
    windows = load_windows(audio_item(path), sampling)
    whole = soxr.resample(stored[0], 44_100, 16_000)
    for window, second in zip(windows, sampling.starts(3.0), strict=True):
        start = round(second * 16_000)
        expected = whole[start : start + 8_000]
        assert np.abs(window - expected)[200:-200].max() < 2e-3


@pytest.mark.parametrize(
    ("form", "subtype", "apart"),
    [("FLAC", "PCM_16", 0.0), ("OGG", "VORBIS", 0.0), ("MP3", "", 1e-3), ("mp4", "", 1e-3)],
)
def test_a_late_window_is_what_the_whole_holds_there(
    tmp_path: Path, form: str, subtype: str, apart: float
) -> None:
    time = np.arange(44_100 * 4) / 44_100
    # A rising tone: no two stretches are alike, and no coder replaces it by noise of its own.
    stored = 0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time).astype(np.float32)[None]
    path = tmp_path / "a"
    if form == "mp4":
        write_aac(path, stored, 44_100, form)
    else:
        write_sound(path, stored, 44_100, form, subtype)
    whole = load_sound(audio_item(path)).samples[0]
    sampling = WindowSampling(44_100, 0.5, 3, "spread")
    starts = sampling.starts(len(whole) / 44_100)
    for window, second in zip(load_windows(audio_item(path), sampling), starts, strict=True):
        start = min(round(second * 44_100), len(whole) - 22_050)
        # AAC may end a file in noise, which a decoder draws by itself.
        assert np.abs(window - whole[start : start + 22_050])[:-1024].max() <= apart


def test_a_short_sound_is_followed_by_silence_itself_or_nothing(tmp_path: Path) -> None:
    stored = noise(1, 300)
    item = audio_item(write_sound(tmp_path / "a.wav", stored, 1000))
    (silent,) = load_windows(item, WindowSampling(1000, 1.0))
    np.testing.assert_array_equal(silent, np.concatenate([stored[0], np.zeros(700, np.float32)]))
    (again,) = load_windows(item, WindowSampling(1000, 1.0, pad="repeat"))
    np.testing.assert_array_equal(again, np.tile(stored[0], 4)[:1000])
    windows = load_windows(item, WindowSampling(1000, 1.0, 3, "spread", pad="nothing"))
    np.testing.assert_array_equal(windows, np.tile(stored, (3, 1)))


def test_a_sound_in_memory_is_as_a_file(tmp_path: Path) -> None:
    stored = noise(2, 5000)
    file = audio_item(write_sound(tmp_path / "a.wav", stored, 8_000))
    held = Item("b", "audio", Sound(stored, 8_000))
    sampling = WindowSampling(16_000, 0.2, 3, "middle")
    np.testing.assert_array_equal(load_windows(file, sampling), load_windows(held, sampling))
    np.testing.assert_array_equal(load_sound(held).samples, stored)
    first, second = decode_windows([file, held], sampling, workers=2)
    np.testing.assert_array_equal(first, second)


def test_blocks_are_the_whole(tmp_path: Path) -> None:
    item = audio_item(write_sound(tmp_path / "a.flac", noise(2, 600_000), 48_000, "FLAC", "PCM_16"))
    blocks = list(sound_blocks(item))
    assert len(blocks) > 2 and {block.rate for block in blocks} == {48_000}
    joined = np.concatenate([block.samples for block in blocks], axis=1)
    np.testing.assert_array_equal(joined, load_sound(item).samples)


def test_a_long_lossy_sound_is_whole_where_its_blocks_meet(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mp3", tone(20.0, 32_000), 32_000, "MP3", "")
    sound = load_sound(audio_item(path))
    assert np.abs(sound.samples - tone(20.0, 32_000))[:, 2000:-2000].max() < 0.02


def test_an_hour_is_not_decoded_whole_but_a_window_of_it_is(tmp_path: Path) -> None:
    path = write_sound(
        tmp_path / "a.flac", np.zeros((1, 48_000 * 3600), np.float32), 48_000, "FLAC", "PCM_16"
    )
    with pytest.raises(MediaError, match=r"lasts 3,600 s with 1 channels at 48,000 Hz"):
        load_sound(audio_item(path))
    assert load_windows(audio_item(path), WindowSampling(16_000, 2.0, 3, "spread")).shape == (
        3,
        32_000,
    )


@pytest.mark.parametrize(
    "held",
    [
        np.zeros((4, 4, 3), np.uint8),
        Sound(np.zeros((1, 0), np.float32), 100),
        Sound(np.zeros(5, np.float32), 100),
        Sound(np.zeros((1, 5), np.float64), 100),  # type: ignore[arg-type]
        Sound(np.full((1, 5), np.nan, np.float32), 100),
    ],
)
def test_what_is_no_sound_is_refused(held: Any) -> None:
    with pytest.raises(MediaError, match=r"not a sound|\[channels, samples\]|no numbers"):
        load_sound(Item("a", "audio", held))


def test_another_modality_is_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(0.1))
    with pytest.raises(MediaError, match="only sounds"):
        load_sound(Item("a", "video", path))
