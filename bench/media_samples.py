"""What a page can play of an item: the beginning of a sound, a short clip from a video's middle."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import cast

import av
import numpy as np

from datasets.base import ByteArray, Item, SampleArray, SecondsArray
from datasets.media.files import MediaError
from datasets.media.sampling import FrameSampling, WindowSampling
from datasets.media.sounds import load_windows
from datasets.media.videos import load_clip

HEARD = WindowSampling(rate=22_050, seconds=10.0, pad="nothing")
# LAME's better settings take twice the time for what no one hears at this rate.
MP3 = ("libmp3lame", 32_000, {"compression_level": "7"})

PIXELS = 160
# Even the fastest setting of VP9 takes twice as long for clips this small.
WEBM = (
    "libvpx",
    {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "120k", "auto-alt-ref": "0"},
)


@dataclass(frozen=True)
class MiddleStretch:
    """``rate`` moments a second over the middle ``seconds`` of a video, or over all of it."""

    seconds: float
    rate: int

    @property
    def count(self) -> int:
        return round(self.seconds * self.rate)

    def times(self, duration_seconds: float) -> SecondsArray:
        """Seconds from the beginning, float64 [1 to count], ascending, below the duration."""
        span = min(self.seconds, duration_seconds)
        moments = max(1, min(self.count, int(span * self.rate + 1e-6)))
        return (duration_seconds - span) / 2 + np.arange(moments) / self.rate


SEEN = MiddleStretch(4.0, 10)

SOUND_SETTINGS = (HEARD, MP3)
CLIP_SETTINGS = (SEEN, PIXELS, WEBM)


def sound_sample(item: Item) -> bytes:
    """The first ten seconds of a sound as MP3, mono. Raises MediaError."""
    samples = load_windows(item, HEARD)[0]
    try:
        return _mp3(samples)
    except (av.FFmpegError, ValueError) as problem:
        raise MediaError(item, f"cannot be written as MP3: {problem}") from problem


def clip_sample(item: Item) -> bytes:
    """The middle four seconds of a video as WebM without sound, 160 pixels on the longer side.

    Raises MediaError.
    """
    whole = load_clip(item, FrameSampling(1)).frames.shape[1:3]
    frames = load_clip(item, SEEN, _small(*whole)).frames
    try:
        return _webm(frames)
    except (av.FFmpegError, ValueError) as problem:
        raise MediaError(item, f"cannot be written as WebM: {problem}") from problem


def _small(height: int, width: int) -> tuple[int, int]:
    """Height and width with ``PIXELS`` on the longer side at most, both even for the codec."""
    scale = min(1.0, PIXELS / max(height, width))
    return max(2, round(height * scale / 2) * 2), max(2, round(width * scale / 2) * 2)


def _mp3(samples: SampleArray) -> bytes:
    """``samples`` [samples] at the rate of ``HEARD``."""
    codec, bits_a_second, options = MP3
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3", options={"fflags": "+bitexact"}) as container:
        stream = cast(
            av.AudioStream, container.add_stream(codec, rate=HEARD.rate, options=dict(options))
        )
        stream.codec_context.layout, stream.codec_context.format = "mono", "fltp"
        stream.bit_rate = bits_a_second
        heard = np.clip(samples, -1, 1)[None].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(heard), "fltp", "mono")
        frame.sample_rate = HEARD.rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def _webm(frames: ByteArray) -> bytes:
    """``frames`` [frames, height, width, 3] at the rate of ``SEEN``."""
    codec, options = WEBM
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        stream = cast(
            av.VideoStream, container.add_stream(codec, rate=SEEN.rate, options=dict(options))
        )
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.height, stream.width = frames.shape[1:3]
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()
