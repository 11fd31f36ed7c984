"""Decode frames of videos into arrays. The files are not trusted.

Which frames there are is learnt from the packets, all of which are read and none decoded, so a
frame is chosen by its own time whatever the frame rate does. Then only the stretches from a key
frame to a sampled frame are decoded, of a long video as of a short one.

A packet that cannot be decoded is stepped over. A file is refused where that moves a sampled
frame by more than a second, and where it ends before nine tenths of what it promises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from datasets.base import ByteArray, Clip, IntArray, Item, SecondsArray, Sound
from datasets.media.files import MediaError
from datasets.media.frame_index import FrameIndex
from datasets.media.reel import opened_reel
from datasets.media.sampling import FrameNumbers, VideoSampling
from datasets.ordered_pool import ordered_map

MAX_CLIP_BYTES = 1 << 30
# Of the frames that the packets announce, those that must decode for a file to be used. Some
# packets hold no frame that is shown (VP8 and VP9 keep hidden ones), damage leaves fewer.
_DECODED = 0.75


def load_clip(item: Item, sampling: VideoSampling, size: tuple[int, int] | None = None) -> Clip:
    """The frames of a video that are nearest to the sampled times, RGB and upright.

    ``FrameNumbers`` counts the frames that the file announces.

    size  (height, width) to which each whole frame is resized, bicubic with antialiasing; None
          keeps the size of the first

    ``frames`` are uint8 [count, height, width, 3]; ``seconds`` are the frames' own times. Where
    more frames are asked for than there are, some come more than once. Pixels are taken as
    square. Raises MediaError.
    """
    if not isinstance(item.media, Path):
        return _sampled(_checked(item, item.media), sampling, size)
    with opened_reel(item) as reel:
        index = reel.index
        wanted, places = np.unique(_stamps(index, sampling), return_inverse=True)
        found = reel.nearest(wanted)
        pictures = _pictures(item, [frame for _, frame in found], size, sampling.count)
        seconds = np.array([index.seconds(stamp) for stamp, _ in found])
        return Clip(pictures[places], seconds[places])


def decode_clips(
    items: Iterable[Item],
    sampling: VideoSampling,
    size: tuple[int, int] | None = None,
    *,
    workers: int | None = None,
) -> Iterator[Clip]:
    """As ``load_clip``, in the order of the items, in ``workers`` threads (one a processor).

    One thread decodes one video. Memory holds at most ``2 * workers`` clips. Raises MediaError
    at the item's place.
    """
    return ordered_map(partial(load_clip, sampling=sampling, size=size), items, workers)


def middle_of_whole(item: Item) -> ByteArray:
    """Decode every frame and return the middle one, uint8 [height, width, 3].

    Raises MediaError also where fewer than three quarters of the frames decode.
    """
    if not isinstance(item.media, Path):
        frames = _checked(item, item.media).frames
        return frames[len(frames) // 2]
    with opened_reel(item) as reel:
        due, decoded = len(reel.index.stamps), 0
        middle = reel.index.nearest(reel.index.duration / 2)
        nearest: tuple[int, VideoFrame] | None = None
        for stamp, frame in reel.frames_from(int(reel.index.stamps[0])):
            decoded += 1
            if nearest is None or abs(stamp - middle) < abs(nearest[0] - middle):
                nearest = stamp, frame
        if nearest is None or decoded < _DECODED * due:
            raise MediaError(item, f"is damaged: {decoded:,} of {due:,} frames can be decoded")
        return _rgb(nearest[1])


def _stamps(index: FrameIndex, sampling: VideoSampling) -> IntArray:
    if isinstance(sampling, FrameNumbers):
        return index.stamps[sampling.rows(len(index.stamps))]
    return np.array([index.nearest(time) for time in sampling.times(index.duration)])


def _pictures(
    item: Item, frames: Sequence[VideoFrame], size: tuple[int, int] | None, count: int
) -> ByteArray:
    """uint8 [frames, height, width, 3]; a frame of another size than the first is made like it."""
    first = _rgb(frames[0])
    height, width = size or first.shape[:2]
    if count * height * width * 3 > MAX_CLIP_BYTES:
        raise MediaError(
            item,
            f"would fill {count} frames of {height} x {width} pixels, more than "
            f"{MAX_CLIP_BYTES >> 20:,} MiB; ask for fewer or smaller ones",
        )
    return np.stack([_resized(_rgb(frame), (height, width)) for frame in frames])


def _rgb(frame: VideoFrame) -> ByteArray:
    """uint8 [height, width, 3], turned as the video's display matrix says."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def _resized(picture: ByteArray, size: tuple[int, int]) -> ByteArray:
    height, width = size
    if picture.shape[:2] == size:
        return picture
    pixels = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(pixels.resize((width, height), Image.Resampling.BICUBIC))


def _checked(item: Item, clip: ByteArray | Sound | Clip) -> Clip:
    if not isinstance(clip, Clip):
        what = "sound" if isinstance(clip, Sound) else "picture"
        raise MediaError(item, f"holds a {what}, not a video")
    frames, seconds = clip.frames, clip.seconds
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise MediaError(
            item,
            f"is {frames.dtype} {list(frames.shape)}; a clip is uint8 [frames, height, width, 3]",
        )
    if seconds.shape != frames.shape[:1] or np.any(np.diff(seconds) < 0):
        raise MediaError(item, f"has {list(seconds.shape)} times that do not fit or do not ascend")
    return clip


def _sampled(clip: Clip, sampling: VideoSampling, size: tuple[int, int] | None) -> Clip:
    """As from a file."""
    seconds = clip.seconds - clip.seconds[0]
    chosen = _rows(seconds, sampling)
    frames = clip.frames[chosen]
    if size is not None:
        frames = np.stack([_resized(frame, size) for frame in frames])
    return Clip(frames, seconds[chosen])


def _rows(seconds: SecondsArray, sampling: VideoSampling) -> IntArray:
    """Which frames of a clip are taken; the last is taken to last as long as they usually do."""
    if isinstance(sampling, FrameNumbers):
        return sampling.rows(len(seconds))
    gap = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    times = sampling.times(float(seconds[-1]) + gap)
    return np.abs(times[:, None] - seconds[None, :]).argmin(axis=1)
