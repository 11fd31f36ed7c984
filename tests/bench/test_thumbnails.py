"""Small pictures of items: what they show and how large they are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.thumbnails import COLOURS, SPECTROGRAM_SHAPE, spectrogram, thumbnail
from datasets.base import Clip, Item, Sound
from datasets.media.files import MediaError

RATE = 16_000


def opened(item: Item) -> np.ndarray:
    jpeg = thumbnail(item)
    assert jpeg.startswith(b"\xff\xd8")
    assert len(jpeg) < 30_000
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def brightness(picture: np.ndarray) -> np.ndarray:
    return picture.astype(float).sum(axis=2)


def test_a_picture_is_made_small() -> None:
    assert opened(Item("a", "image", np.full((40, 400, 3), 7, np.uint8))).shape == (16, 160, 3)


def test_a_video_is_three_of_its_frames_in_a_row() -> None:
    """One second each of red, green and blue, twelve frames."""
    frames = np.zeros((12, 60, 240, 3), np.uint8)
    for part in range(3):
        frames[4 * part : 4 * part + 4, :, :, part] = 255
    clip = Clip(frames, np.arange(12) / 4)
    strip = opened(Item("a", "video", clip))
    assert strip.shape == (30, 3 * 120 + 2 * 2, 3)
    middles = [strip[15, x].argmax() for x in (60, 182, 304)]
    assert middles == [0, 1, 2]


def test_a_sound_is_a_spectrogram() -> None:
    sound = Sound(np.stack([tone(440, 2.0, 44_100)] * 2), 44_100)
    assert opened(Item("a", "audio", sound)).shape == (*SPECTROGRAM_SHAPE, 3)


@pytest.mark.parametrize(("low", "high"), [(200, 800), (800, 3000), (3000, 7500)])
def test_higher_tones_stand_higher_and_later_ones_to_the_right(low: float, high: float) -> None:
    picture = brightness(spectrogram(np.concatenate([tone(low, 1), tone(high, 1)]), RATE))
    first, second = picture[:, :70].mean(axis=1), picture[:, 90:].mean(axis=1)
    assert second.argmax() < first.argmax() - 5


def test_an_octave_band_stands_where_its_mel_does() -> None:
    """1,000 Hz is 1,000 mel, of 78 (50 Hz) to 2,840 (8,000 Hz): a third from the bottom."""
    loudest = brightness(spectrogram(tone(1000, 1), RATE)).mean(axis=1).argmax()
    assert loudest == pytest.approx(100 * (1 - (1000 - 78) / (2840 - 78)), abs=1.5)


def test_a_sound_is_heard_for_thirty_seconds_and_padding_is_not_shown() -> None:
    long = Sound(np.concatenate([np.zeros(20 * RATE), tone(440, 20)])[None].astype("f4"), RATE)
    seen = brightness(opened(Item("a", "audio", long)))
    loud = seen.max(axis=0) > 300
    assert 40 < loud.sum() < 65
    assert loud[-40:].all()
    short = brightness(opened(Item("a", "audio", Sound(tone(440, 1)[None], RATE))))
    assert (short.max(axis=0) > 300).all()


def test_silence_is_dark() -> None:
    assert (spectrogram(np.zeros(RATE, np.float32), RATE) == COLOURS[0]).all()
    assert spectrogram(np.zeros(3, np.float32), RATE).shape == (*SPECTROGRAM_SHAPE, 3)


def test_what_cannot_be_decoded_is_a_media_error() -> None:
    with pytest.raises(MediaError):
        thumbnail(Item("a", "audio", np.zeros((2, 2, 3), np.uint8)))
