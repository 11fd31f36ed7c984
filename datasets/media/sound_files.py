"""Read stretches of sound files at their own rate. The files are not trusted.

WAV, FLAC, Ogg (Vorbis, Opus, FLAC) and MP3 are read by libsndfile; AAC, M4A and the sound of a
video by FFmpeg. What a file is called decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from datasets.base import Item, SampleArray
from datasets.media.files import MediaError
from datasets.media.frame_index import MAX_PACKETS, packets_of
from datasets.media.streams import WHOLE, container_of, opened

MAX_CHANNELS = 64
MIN_RATE, MAX_RATE = 1_000, 768_000
MAX_HOURS = 12
_SNDFILE = ("wav", "flac", "ogg", "mp3")
_FFMPEG = ("aac", "matroska", "mp4")
# A decoder needs a little of what came before to give the same samples as without a jump.
_RUN_UP_SECONDS = 0.2


class SoundReader(Protocol):
    """An open sound: ``length`` samples in each of ``channels`` at ``rate`` a second."""

    @property
    def rate(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def length(self) -> int: ...

    def read(self, start: int, count: int) -> SampleArray:
        """Samples ``start`` to ``start + count``, fewer at the end: [channels, samples]."""
        ...


@contextmanager
def opened_sound(item: Item) -> Iterator[SoundReader]:
    """The reader of an item's file, for the span of a ``with``; no sample is decoded yet.

    Raises MediaError, also for a sound without samples, of more than 64 channels or 12 hours, or
    at a rate beyond 1 to 768 kHz.
    """
    with opened(item, (*_SNDFILE, *_FFMPEG), "a sound") as (stream, form):
        if form in _FFMPEG:
            with container_of(stream, form) as container:
                yield _checked(item, _FfmpegSound.of(item, container))
        else:
            with soundfile.SoundFile(stream.fileno(), closefd=False) as file:
                yield _checked(item, _SndfileSound(item, file))


def _checked(item: Item, reader: SoundReader) -> SoundReader:
    if reader.length < 1:
        raise MediaError(item, "holds no sample")
    if reader.channels > MAX_CHANNELS:
        raise MediaError(item, f"has {reader.channels:,} channels; the limit is {MAX_CHANNELS}")
    if not MIN_RATE <= reader.rate <= MAX_RATE:
        raise MediaError(
            item, f"has {reader.rate:,} samples a second, not {MIN_RATE:,} to {MAX_RATE:,}"
        )
    if reader.length > MAX_HOURS * 3600 * reader.rate:
        raise MediaError(item, f"lasts more than {MAX_HOURS} hours, the limit")
    return reader


@dataclass(frozen=True)
class _SndfileSound:
    item: Item
    file: soundfile.SoundFile

    @property
    def rate(self) -> int:
        return int(self.file.samplerate)

    @property
    def channels(self) -> int:
        return int(self.file.channels)

    @property
    def length(self) -> int:
        return int(self.file.frames)

    def read(self, start: int, count: int) -> SampleArray:
        # soundfile seeks after every read, and the decoder of a lossy format starts afresh there:
        # the run-up has to be read together with what is wanted.
        early = max(0, start - round(_RUN_UP_SECONDS * self.rate))
        self.file.seek(early)
        end = min(start + count, self.length)
        samples = self.file.read(end - early, "float32", always_2d=True)[start - early :]
        end = start + len(samples)
        if end < min(start + count, WHOLE * self.length):
            raise MediaError(
                self.item, f"is cut short: {end:,} of the {self.length:,} samples are there"
            )
        return samples.T


@dataclass(frozen=True)
class _FfmpegSound:
    """Times are in seconds as the container counts them.

    zero   of the first sample
    first  of the first packet, which may lie before: a coder's run-up
    """

    container: InputContainer
    stream: AudioStream
    rate: int
    channels: int
    length: int
    zero: float
    first: float

    @staticmethod
    def of(item: Item, container: InputContainer) -> _FfmpegSound:
        if not container.streams.audio:
            raise MediaError(item, "holds no sound")
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        first, end = math.inf, 0.0
        for number, packet in enumerate(packets_of(container, stream), start=1):
            if number > MAX_PACKETS:
                raise MediaError(item, f"holds more than {MAX_PACKETS:,} packets, the limit")
            if packet.pts is not None and packet.time_base is not None:
                first = min(first, float(packet.pts * packet.time_base))
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        container.seek(0)
        # Its own frames know the rate: the header of HE-AAC may name half of it.
        frame = next(_decoded(container, stream), None)
        if frame is None:
            raise MediaError(item, "holds no sound that can be decoded")
        zero, rate = _time(frame), frame.sample_rate
        promised = (container.duration or 0) / av.time_base
        if end - zero < WHOLE * promised:
            raise MediaError(
                item,
                f"is cut short: {end - zero:.2f} of the {promised:.2f} s that it promises "
                "are there",
            )
        length, channels = round((end - zero) * rate), frame.layout.nb_channels
        return _FfmpegSound(container, stream, rate, channels, length, zero, first)

    def read(self, start: int, count: int) -> SampleArray:
        samples = np.zeros((self.channels, min(count, self.length - start)), np.float32)
        early = max(self.first, self.zero + start / self.rate - _RUN_UP_SECONDS)
        self.container.seek(int(early * av.time_base), backward=True)
        for frame in _decoded(self.container, self.stream):
            at = round((_time(frame) - self.zero) * self.rate) - start
            if at >= samples.shape[1]:
                break
            part = _floats(frame)[:, max(0, -at) : samples.shape[1] - at]
            at = max(0, at)
            samples[:, at : at + part.shape[1]] = part
        return samples


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    for packet in packets_of(container, stream):
        try:
            frames = stream.codec_context.decode(packet)
        except av.FFmpegError:
            continue
        yield from (frame for frame in frames if frame.time is not None)


def _time(frame: AudioFrame) -> float:
    """Seconds, as the container counts them."""
    assert frame.time is not None
    return frame.time


def _floats(frame: AudioFrame) -> SampleArray:
    """[channels, samples] in -1 to 1, whatever the decoder gave."""
    stored = frame.to_ndarray()
    if frame.format.is_packed:
        stored = stored.reshape(-1, frame.layout.nb_channels).T
    samples: SampleArray = stored.astype(np.float32)
    if stored.dtype == np.uint8:
        return (samples - np.float32(128)) / np.float32(128)
    if stored.dtype.kind == "i":
        return samples / np.float32(1 << (8 * stored.dtype.itemsize - 1))
    return samples
