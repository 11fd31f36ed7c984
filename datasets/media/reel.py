"""Wind through a video: the frames from a moment on, and those nearest to given moments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from datasets.base import IntArray, Item
from datasets.media.files import MediaError
from datasets.media.frame_index import (
    MAX_PIXELS,
    FrameIndex,
    index_frames,
    packets_of,
    video_stream,
)
from datasets.media.streams import container_of, opened

TOLERANCE_SECONDS = 1.0
_FORMATS = ("avi", "matroska", "mp4", "mpeg", "mpegts", "ogg")
# What a decoder has given, each frame with its stamp in the index.
Frames = Iterator[tuple[int, VideoFrame]]


@dataclass(frozen=True)
class Reel:
    """An open video and the index of its frames."""

    item: Item
    container: InputContainer
    stream: VideoStream
    index: FrameIndex

    def frames_from(self, stamp: int) -> Frames:
        """The frames that can be decoded from a key frame on, or from the first.

        Raises av.FFmpegError where the container cannot be searched.
        """
        self.container.seek(stamp, stream=self.stream, backward=True)
        # AVI tells in which order frames are decoded and not when they are shown.
        if self.container.format.name == "avi":
            return _by_order(self._decoded(), stamp)
        return _by_own_stamps(self._decoded())

    def nearest(self, wanted: IntArray) -> list[tuple[int, VideoFrame]]:
        """The frames nearest to ``wanted`` [stamps], ascending; as a rule those very frames.

        Raises MediaError where there is none within ``TOLERANCE_SECONDS``.
        """
        search = _Search(wanted, int(TOLERANCE_SECONDS / self.index.unit))
        # Not every container finds its way by time, and there may be damage on the way.
        if not self._jump(search):
            for stamp, frame in self.frames_from(int(self.index.stamps[0])):
                search.see(stamp, frame)
                if search.is_beyond(len(wanted) - 1, stamp):
                    break
        for place, stamp in enumerate(wanted):
            if search.found[place] is None:
                at = self.index.seconds(int(stamp))
                raise MediaError(self.item, f"is damaged: no frame near {at:.2f} s can be decoded")
        return [one for one in search.found if one is not None]

    def _jump(self, search: _Search) -> bool:
        """Search from key frame to key frame; False as soon as a wanted frame is not met."""
        here: int | None = None
        frames: Frames = iter(())
        for place, stamp in enumerate(search.wanted):
            if search.is_met(place):
                continue
            key = self.index.key_before(int(stamp))
            if here is None or key > here:
                frames = self.frames_from(key)
            for here, frame in frames:
                search.see(here, frame)
                if search.is_met(place) or search.is_beyond(place, here):
                    break
            if not search.is_met(place):
                return False
        return True

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in packets_of(self.container, self.stream):
            try:
                frames = self.stream.codec_context.decode(packet)
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.width * frame.height > MAX_PIXELS:
                    raise MediaError(
                        self.item, f"has frames of more than {MAX_PIXELS:,} pixels, the limit"
                    )
                yield frame


class _Search:
    """The nearest frame to each of ``wanted`` [stamps] among those seen so far."""

    def __init__(self, wanted: IntArray, tolerance: int) -> None:
        self.wanted = wanted
        self.found: list[tuple[int, VideoFrame] | None] = [None] * len(wanted)
        self._tolerance = tolerance
        self._offsets = np.full(len(wanted), tolerance + 1)

    def see(self, stamp: int, frame: VideoFrame) -> None:
        offsets = np.abs(self.wanted - stamp)
        for place in np.flatnonzero(offsets < self._offsets):
            self.found[place] = stamp, frame
        np.minimum(self._offsets, offsets, out=self._offsets)

    def is_met(self, place: int) -> bool:
        """Whether the wanted frame itself was seen."""
        return bool(self._offsets[place] == 0)

    def is_beyond(self, place: int, stamp: int) -> bool:
        """Whether a frame with this stamp is too late to be followed by a nearer one."""
        return bool(stamp > self.wanted[place] + self._tolerance)


@contextmanager
def opened_reel(item: Item) -> Iterator[Reel]:
    """The reel of an item's file, for the span of a ``with``. Raises MediaError."""
    if item.modality != "video":
        raise MediaError(item, f"is {item.modality}; only videos have frames")
    with opened(item, _FORMATS, "a video") as (stream, form), container_of(stream, form) as inside:
        moving = video_stream(item, inside)
        yield Reel(item, inside, moving, index_frames(item, inside, moving))


def _by_own_stamps(frames: Iterable[VideoFrame]) -> Frames:
    for frame in frames:
        stamp = frame.dts if frame.pts is None else frame.pts
        if stamp is not None:
            yield stamp, frame


def _by_order(frames: Iterable[VideoFrame], first: int) -> Frames:
    """Stamps from when a frame came out of the decoder, the first being ``first``."""
    late: int | None = None
    stamp = first - 1
    for frame in frames:
        if frame.dts is None:
            stamp += 1
        else:
            late = frame.dts - first if late is None else late
            stamp = frame.dts - late
        yield stamp, frame
