"""Decode sounds into samples. The files are not trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from datasets.base import ByteArray, Clip, Item, SampleArray, Sound
from datasets.media.files import MediaError
from datasets.media.sampling import WindowSampling
from datasets.media.sound_files import SoundReader, opened_sound
from datasets.ordered_pool import ordered_map

MAX_SAMPLES = 1 << 27
BLOCK = 1 << 18


def load_sound(item: Item) -> Sound:
    """Decode a whole sound, with the channels and the rate that it has.

    Samples are float32; what a file holds beyond -1 to 1 is kept. Raises MediaError, also for
    more than ``MAX_SAMPLES`` over all channels (50 minutes of 44.1 kHz mono).
    """
    with _reader(item) as reader:
        if reader.channels * reader.length > MAX_SAMPLES:
            raise MediaError(
                item,
                f"lasts {reader.length / reader.rate:,.0f} s with {reader.channels} channels at "
                f"{reader.rate:,} Hz, too much to be decoded whole; the limit is "
                f"{MAX_SAMPLES:,} samples",
            )
        return Sound(np.concatenate(list(_blocks(item, reader)), axis=1), reader.rate)


def sound_blocks(item: Item) -> Iterator[Sound]:
    """Decode a sound of any length in blocks of ``BLOCK`` samples a channel.

    Raises MediaError as soon as a block cannot be decoded.
    """
    with _reader(item) as reader:
        for samples in _blocks(item, reader):
            yield Sound(samples, reader.rate)


def load_windows(item: Item, sampling: WindowSampling) -> SampleArray:
    """The sampled windows of a sound: float32 [windows, samples], mono, at the sampling's rate.

    Each window is read and resampled by itself, so that a window of a long file costs no more
    than one of a short file. Raises MediaError.
    """
    with _reader(item) as reader:
        length = min(reader.length, max(1, round(sampling.seconds * reader.rate)))
        seconds = sampling.starts(reader.length / reader.rate)
        starts = [min(round(one * reader.rate), reader.length - length) for one in seconds]
        windows = {}
        # All windows of a short sound are the same one: it is read once.
        for start in dict.fromkeys(starts):
            mono = np.concatenate(
                [
                    _MONO[sampling.mono](block)
                    for block in _blocks(item, reader, start, start + length)
                ]
            )
            windows[start] = soxr.resample(mono, reader.rate, sampling.rate)
    return np.stack([_PADDING[sampling.pad](windows[start], sampling.samples) for start in starts])


def decode_windows(
    items: Iterable[Item], sampling: WindowSampling, *, workers: int | None = None
) -> Iterator[SampleArray]:
    """As ``load_windows``, in the order of the items, in ``workers`` threads (one a processor).

    Memory holds the windows of at most ``2 * workers`` sounds. Raises MediaError at the item's
    place.
    """
    return ordered_map(partial(load_windows, sampling=sampling), items, workers)


def _silence(window: SampleArray, samples: int) -> SampleArray:
    return np.pad(window[:samples], (0, max(0, samples - len(window))))


def _repeat(window: SampleArray, samples: int) -> SampleArray:
    return np.resize(window, samples)


def _nothing(window: SampleArray, samples: int) -> SampleArray:
    return window[:samples]


_PADDING: dict[str, Callable[[SampleArray, int], SampleArray]] = {
    "silence": _silence,
    "repeat": _repeat,
    "nothing": _nothing,
}
_MONO: dict[str, Callable[[SampleArray], SampleArray]] = {
    "mean": lambda block: block.mean(axis=0),
    "first": lambda block: block[0],
}


class _Held:
    """A sound that is in memory, read as if it were a file."""

    def __init__(self, sound: Sound) -> None:
        self._samples = sound.samples
        self.rate = sound.rate
        self.channels, self.length = sound.samples.shape

    def read(self, start: int, count: int) -> SampleArray:
        return self._samples[:, start : start + count]


@contextmanager
def _reader(item: Item) -> Iterator[SoundReader]:
    if item.modality != "audio":
        raise MediaError(item, f"is {item.modality}; only sounds have samples")
    if not isinstance(item.media, Path):
        yield _Held(_checked(item, item.media))
        return
    with opened_sound(item) as reader:
        yield reader


def _checked(item: Item, sound: ByteArray | Sound | Clip) -> Sound:
    if not isinstance(sound, Sound):
        what = "video" if isinstance(sound, Clip) else "picture"
        raise MediaError(item, f"holds a {what}, not a sound")
    samples = sound.samples
    if samples.dtype != np.float32 or samples.ndim != 2 or not samples.size or sound.rate < 1:
        raise MediaError(
            item,
            f"is {samples.dtype} {list(samples.shape)} at {sound.rate} Hz; "
            "a sound is float32 [channels, samples]",
        )
    return sound


def _blocks(
    item: Item, reader: SoundReader, start: int = 0, end: int | None = None
) -> Iterator[SampleArray]:
    """The samples from ``start`` to ``end`` in parts: [channels, ``BLOCK`` or fewer] each."""
    end = reader.length if end is None else end
    while start < end:
        samples = reader.read(start, min(BLOCK, end - start))
        if not samples.size:
            return
        if not np.isfinite(samples).all():
            raise MediaError(item, "holds samples that are no numbers (NaN or infinite)")
        yield samples
        start += samples.shape[1]
