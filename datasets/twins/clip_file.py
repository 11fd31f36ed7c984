"""Writes frames as a video file, the same bytes for the same frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av

from datasets.base import ByteArray


@dataclass(frozen=True)
class Encoding:
    """A codec of FFmpeg and its options."""

    codec: str
    options: Mapping[str, str]


H264 = Encoding("libx264", {"crf": "22", "preset": "veryfast"})
# One quantiser for all frames, so that no rate control decides.
MPEG4 = Encoding("mpeg4", {"qmin": "5", "qmax": "5"})


def available(encoding: Encoding) -> bool:
    """Whether this build of FFmpeg can write it."""
    return encoding.codec in av.codecs_available


def write_clip(path: Path, frames: ByteArray, rate: int, encoding: Encoding) -> None:
    """Write frames [frames, height, width, 3] at ``rate`` a second; the suffix says the container.

    One thread encodes and nothing of the machine or the time is written, so that the bytes depend
    on the frames and the version of FFmpeg alone.
    """
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = cast(
            av.VideoStream,
            container.add_stream(encoding.codec, rate=rate, options=dict(encoding.options)),
        )
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.height, stream.width = frames.shape[1:3]
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
