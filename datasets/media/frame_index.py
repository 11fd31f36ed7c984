"""When the frames of a video are shown, learnt from its packets without decoding them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from datasets.base import IntArray, Item
from datasets.media.files import MediaError
from datasets.media.streams import WHOLE

MAX_PIXELS = 8192 * 4320
MAX_PACKETS = 4_000_000


@dataclass(frozen=True)
class FrameIndex:
    """The frames that the packets of one stream announce.

    stamps    int64 [frames], ascending, in units of ``unit`` seconds; the first is time zero
    keys      the stamps of those that can be decoded without another, ascending
    duration  seconds, the last frame's own included
    """

    stamps: IntArray
    keys: IntArray
    unit: float
    duration: float

    def nearest(self, seconds: float) -> int:
        """The stamp nearest to a time; of two equally near the earlier."""
        wanted = self.stamps[0] + seconds / self.unit
        after = min(int(np.searchsorted(self.stamps, wanted)), len(self.stamps) - 1)
        before = max(after - 1, 0)
        nearer = self.stamps[after] - wanted < wanted - self.stamps[before]
        return int(self.stamps[after if nearer else before])

    def key_before(self, stamp: int) -> int:
        """The stamp of the last key frame up to a frame, the first frame's where there is none."""
        place = int(np.searchsorted(self.keys, stamp, side="right")) - 1
        return int(self.keys[place] if place >= 0 else self.stamps[0])

    def seconds(self, stamp: int) -> float:
        """The time of a stamp from the beginning of the video."""
        return (stamp - int(self.stamps[0])) * self.unit


def video_stream(item: Item, container: InputContainer) -> VideoStream:
    """The first stream of moving pictures, set up to be decoded by one thread.

    Raises MediaError where there is none (a cover picture is none) or its pictures are too large.
    """
    moving = [one for one in container.streams.video if not _is_cover(one)]
    if not moving:
        raise MediaError(item, "holds no video stream")
    stream = moving[0]
    context = stream.codec_context
    if context.width * context.height > MAX_PIXELS:
        raise MediaError(
            item,
            f"has frames of {context.width:,} x {context.height:,} pixels; "
            f"the limit is {MAX_PIXELS:,} in all",
        )
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def index_frames(item: Item, container: InputContainer, stream: VideoStream) -> FrameIndex:
    """Read all packets of a container that was just opened.

    Raises MediaError where there is no frame, where the packets end before nine tenths of the
    duration that the container promises, and beyond ``MAX_PACKETS``.
    """
    stamps, keys, lengths = [], [], []
    end, packets = 0.0, 0
    for packet in packets_of(container, *container.streams):
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or packet.size == 0 or _is_cover(packet.stream):
            continue
        packets += 1
        if packets > MAX_PACKETS:
            raise MediaError(item, f"holds more than {MAX_PACKETS:,} packets, the limit")
        if packet.time_base is not None:
            end = max(end, float((stamp + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index == stream.index and not packet.is_discard:
            stamps.append(stamp)
            lengths.append(packet.duration or 0)
            if packet.is_keyframe:
                keys.append(stamp)
    if not stamps:
        raise MediaError(item, "holds no frame")
    _expect_whole(item, container, end)
    ordered, unit = (
        np.unique(np.array(stamps, np.int64)),
        float(stream.time_base or 1 / av.time_base),
    )
    last = lengths[int(np.argmax(stamps))] or _usual_gap(ordered)
    span = int(ordered[-1]) - int(ordered[0]) + last
    return FrameIndex(ordered, np.unique(np.array(keys, np.int64)), unit, span * unit)


def packets_of(container: InputContainer, *streams: Stream) -> Iterator[Packet[Any]]:
    """The packets from here on; damage that the container cannot pass is the end of them."""
    try:
        yield from container.demux(*streams)
    except av.FFmpegError:
        return


def _expect_whole(item: Item, container: InputContainer, end: float) -> None:
    if container.duration is None:
        return
    start = (container.start_time or 0) / av.time_base
    promised, held = container.duration / av.time_base, end - start
    if held < WHOLE * promised:
        raise MediaError(
            item, f"is cut short: {held:.2f} of the {promised:.2f} s that it promises are there"
        )


def _usual_gap(stamps: IntArray) -> int:
    return int(np.median(np.diff(stamps))) if len(stamps) > 1 else 0


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)
