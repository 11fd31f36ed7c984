"""Sounds and clips that a page can play, read again by FFmpeg."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from bench.media_samples import SEEN, MiddleStretch, clip_sample, sound_sample
from datasets.base import Clip, Item, Sound
from datasets.media.files import MediaError


def heard(sample: bytes) -> tuple[np.ndarray, int]:
    with av.open(io.BytesIO(sample)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.AudioStream)
        assert stream.codec_context.name.startswith("mp3")
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        return np.concatenate(parts, axis=1), stream.rate


def seen(sample: bytes) -> tuple[np.ndarray, list[float]]:
    with av.open(io.BytesIO(sample)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        frames = list(container.decode(stream))
        return (
            np.stack([frame.to_ndarray(format="rgb24") for frame in frames]),
            [float(frame.time or 0) for frame in frames],
        )


def loudest_hertz(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, 0.5), (3.0, 3.0), (14.0, 10.0)])
def test_a_sound_is_heard_from_its_beginning_in_mono(seconds: float, expected: float) -> None:
    samples = np.stack([tone(440, seconds, 44_100)] * 2).astype(np.float32)
    sample = sound_sample(Item("a", "audio", Sound(samples, 44_100)))
    found, rate = heard(sample)
    assert found.shape[0] == 1
    assert found.shape[1] / rate == pytest.approx(expected, abs=0.15)
    assert loudest_hertz(found[0], rate) == pytest.approx(440, abs=3)
    assert len(sample) < 4_200 * (expected + 0.3)


def test_what_is_louder_than_full_scale_is_cut_not_refused() -> None:
    found, _ = heard(sound_sample(Item("a", "audio", Sound(np.full((1, 9_000), 3, "f4"), 9_000))))
    assert np.isfinite(found).all()


def test_a_clip_is_the_middle_of_a_video_made_small() -> None:
    """Twelve seconds at ten frames: four of red, four of green, four of blue."""
    frames = np.zeros((120, 90, 320, 3), np.uint8)
    for part in range(3):
        frames[40 * part : 40 * part + 40, :, :, part] = 220
    sample = clip_sample(Item("a", "video", Clip(frames, np.arange(120) / 10)))
    found, times = seen(sample)
    assert found.shape == (40, 44, 160, 3)
    assert times == pytest.approx(np.arange(40) / 10, abs=0.01)
    assert (found[:, 20, 80].argmax(axis=1) == 1).all()
    assert len(sample) < 60_000


def test_a_small_and_short_video_is_shown_whole_with_even_sides() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (5, 31, 47, 3), np.uint8)
    found, _ = seen(clip_sample(Item("a", "video", Clip(frames, np.arange(5) / 5))))
    assert found.shape[1:] == (32, 48, 3)
    assert len(found) == 10


@pytest.mark.parametrize(("duration", "first", "count"), [(20, 8, 40), (4, 0, 40), (0.04, 0, 1)])
def test_moments_lie_around_the_middle(duration: float, first: float, count: int) -> None:
    times = SEEN.times(duration)
    assert times[0] == pytest.approx(first)
    assert len(times) == count <= SEEN.count
    assert times[-1] < duration
    assert MiddleStretch(1.0, 2).times(3.0).tolist() == [1.0, 1.5]


@pytest.mark.parametrize("make", [sound_sample, clip_sample])
def test_a_picture_cannot_be_played(make: object) -> None:
    with pytest.raises(MediaError):
        make(Item("a", "image", np.zeros((4, 4, 3), np.uint8)))  # type: ignore[operator]
