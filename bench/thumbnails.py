"""A small picture of an item of any modality."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from datasets.base import ByteArray, Item, SampleArray
from datasets.media.images import load_image
from datasets.media.sampling import FrameSampling, WindowSampling
from datasets.media.sounds import load_windows
from datasets.media.videos import load_clip

PIXELS = 160
FRAME_PIXELS = 120
JPEG_QUALITY = 80
GAP_PIXELS = 2

FRAMES = FrameSampling(3)
HEARD = WindowSampling(rate=16_000, seconds=30.0)

FFT_SAMPLES, HOP_SAMPLES = 1024, 256
LOWEST_HERTZ = 50.0
RANGE_DECIBELS, SILENCE_DECIBELS = 60.0, -120.0
SPECTROGRAM_SHAPE = (100, 160)
# From dark violet over blue and green to yellow, evenly ascending in lightness.
COLOURS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))

# All that decides how a picture comes out.
SETTINGS = (
    (PIXELS, FRAME_PIXELS, JPEG_QUALITY, GAP_PIXELS, FRAMES, HEARD),
    (FFT_SAMPLES, HOP_SAMPLES, LOWEST_HERTZ, RANGE_DECIBELS, SILENCE_DECIBELS),
    (SPECTROGRAM_SHAPE, COLOURS),
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def thumbnail(item: Item) -> bytes:
    """A JPEG: a picture made small, three frames of a video in a row, a sound's spectrogram.

    A sound that is longer than 30 s shows its first 30 s. Raises MediaError.
    """
    if item.modality == "image":
        picture = _small(load_image(item), PIXELS)
    elif item.modality == "video":
        picture = _strip([_small(frame, FRAME_PIXELS) for frame in load_clip(item, FRAMES).frames])
    else:
        picture = Image.fromarray(spectrogram(load_windows(item, HEARD)[0], HEARD.rate))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def spectrogram(samples: SampleArray, rate: int) -> ByteArray:
    """uint8 [height, width, 3] of ``samples`` [samples]: time to the right, pitch upwards.

    Power in mel bands over a range of 60 dB below the loudest. Silence at the end is cut off.
    """
    height, width = SPECTROGRAM_SHAPE
    heard = np.trim_zeros(samples, "b")
    heard = np.pad(heard, (0, max(0, FFT_SAMPLES - heard.size)))
    window = np.hanning(FFT_SAMPLES)
    frames = np.lib.stride_tricks.sliding_window_view(heard, FFT_SAMPLES)[::HOP_SAMPLES]
    power = np.abs(np.fft.rfft(frames * window)) ** 2 / (window.sum() / 2) ** 2
    in_time = _means(power, np.linspace(0, len(power), width + 1))
    bands = _means(in_time.T, _mel_edges(height, rate))
    level = 10 * np.log10(np.maximum(bands, 10 ** (SILENCE_DECIBELS / 10)))
    top = max(float(level.max()), SILENCE_DECIBELS + RANGE_DECIBELS)
    return _coloured(np.clip(1 + (level[::-1] - top) / RANGE_DECIBELS, 0, 1))


def _mel_edges(bands: int, rate: int) -> FloatArray:
    """[bands + 1] edges of equal mel width as numbers of FFT bins (O'Shaughnessy, 1987)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_HERTZ, rate / 2))
    hertz = 700 * (10 ** (np.linspace(low, high, bands + 1) / 2595) - 1)
    return np.asarray(hertz * FFT_SAMPLES / rate)


def _means(rows: FloatArray, edges: FloatArray) -> FloatArray:
    """The mean of the rows between each two edges, one row at least: [edges - 1, columns]."""
    start = np.minimum(edges[:-1].astype(np.int64), len(rows) - 1)
    stop = np.maximum(edges[1:].astype(np.int64), start + 1)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    return np.maximum(sums[stop] - sums[start], 0) / (stop - start)[:, None]


def _coloured(share: FloatArray) -> ByteArray:
    steps = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(share, steps, channel) for channel in np.array(COLOURS).T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _small(pixels: ByteArray, most: int) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((most, most))
    return picture


def _strip(pictures: list[Image.Image]) -> Image.Image:
    width, height = pictures[0].size
    step = width + GAP_PIXELS
    strip = Image.new("RGB", (step * len(pictures) - GAP_PIXELS, height), "white")
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * step, 0))
    return strip
