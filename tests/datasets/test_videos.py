"""Videos: which frames are read, how they stand, and that no other file is."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from datasets.base import Clip, Item
from datasets.media.files import MediaError
from datasets.media.sampling import FrameNumbers, FrameSampling
from datasets.media.videos import decode_clips, load_clip, middle_of_whole
from tests.datasets.tiny_files import pixels, video_item, write_video

GREYS = [10 * n for n in range(25)]
KINDS = [
    ("mp4", "mpeg4"),
    ("mp4", "libx264"),
    ("mov", "mpeg4"),
    ("avi", "mpeg4"),
    ("avi", "libx264"),
    ("mkv", "libx264"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
    ("mpg", "mpeg2video"),
    ("ts", "mpeg2video"),
]


def greys(clip: Clip) -> Any:
    """What the frames show, one grey each: [frames]."""
    assert clip.frames.dtype == np.uint8
    return clip.frames.astype(float).mean(axis=(1, 2, 3))


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_the_middle_of_each_part(tmp_path: Path, suffix: str, codec: str) -> None:
    form = "mpegts" if suffix == "ts" else None
    path = write_video(
        tmp_path / f"a.{suffix}", GREYS, per_second=25, form=form, codec=codec, key_every=7
    )
    clip = load_clip(video_item(path), FrameSampling(5))
    assert clip.frames.shape == (5, 48, 64, 3)
    assert np.abs(greys(clip) - [20, 70, 120, 170, 220]).max() <= 12
    # A Matroska file tells time in thousandths, and shows of the last frame no end.
    assert np.abs(clip.seconds - [0.1, 0.3, 0.5, 0.7, 0.9]).max() <= 0.041
    np.testing.assert_allclose(greys(clip), clip.seconds * 250, atol=12)


def test_from_the_first_frame_to_the_last(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", GREYS)
    clip = load_clip(video_item(path), FrameSampling(3, "ends"))
    np.testing.assert_allclose(clip.seconds, [0, 1.2, 2.4], atol=0.051)
    assert greys(clip)[0] <= 3 and greys(clip)[-1] >= 235


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_sampled_by_time(tmp_path: Path, suffix: str) -> None:
    times = [0, 1, 2, 3, 4, 5, 50, 60, 100]
    path = write_video(tmp_path / f"a.{suffix}", GREYS[1:10], times, codec="libx264", key_every=3)
    sampling = FrameSampling(10)
    clip = load_clip(video_item(path), sampling)
    # The slow obvious way: every frame decoded, the nearest taken.
    with av.open(str(path)) as container:
        shown = np.array([frame.time for frame in container.decode(video=0)])
    assert np.ptp(np.diff(shown)) > 1
    last = clip.seconds[-1]
    assert last == pytest.approx(10.0)
    nearest = np.abs(clip.seconds[:, None] - shown[None, :]).min(axis=1)
    assert nearest.max() < 1e-9
    assert set(np.round(clip.seconds, 3)) <= {0.5, 5.0, 6.0, 10.0, 0.4}
    by_time = dict(zip(np.array(times) / 10, GREYS[1:10], strict=True))
    expected = [by_time[round(float(second), 1)] for second in clip.seconds]
    np.testing.assert_allclose(greys(clip), expected, atol=4)


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_jumping_to_a_frame_finds_what_decoding_everything_finds(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    form = "mpegts" if suffix == "ts" else None
    shades = [(7 * n) % 240 for n in range(150)]
    path = write_video(
        tmp_path / f"a.{suffix}", shades, per_second=25, form=form, codec=codec, key_every=10
    )
    clip = load_clip(video_item(path), FrameSampling(4))
    with av.open(str(path)) as container:
        shown = [
            (frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    if suffix == "avi":  # which tells no times: its frames follow one another evenly
        shown = [(number / 25, frame) for number, (_, frame) in enumerate(shown)]
    by_time = {round(float(time - shown[0][0]), 3): frame for time, frame in shown}
    for frame, second in zip(clip.frames, clip.seconds, strict=True):
        np.testing.assert_array_equal(frame, by_time[round(float(second), 3)])


def turned(path: Path, matrix: tuple[int, ...]) -> Path:
    """Write a display matrix [[a, b], [c, d]] into the track header of an MP4."""
    content = bytearray(path.read_bytes())
    at = content.find(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def picture_video(path: Path, picture: Any) -> Path:
    """A video of five frames, each nearly the picture."""
    height, width = picture.shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


# A point (x, y) of the stored frame is shown at (a x + c y, b x + d y), y pointing down.
@pytest.mark.parametrize(
    ("matrix", "quarters_clockwise"),
    [((1, 0, 0, 1), 0), ((0, 1, -1, 0), 1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 3)],
)
def test_a_turned_video_is_shown_upright(
    tmp_path: Path, matrix: tuple[int, ...], quarters_clockwise: int
) -> None:
    corners = np.zeros((32, 48, 3), np.uint8)
    corners[:16, :24, 0] = corners[:16, 24:, 1] = corners[16:, :24, 2] = 255
    path = turned(picture_video(tmp_path / "a.mp4", corners), matrix)
    (frame,) = load_clip(video_item(path), FrameSampling(1)).frames
    expected = np.rot90(corners, -quarters_clockwise)
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("size", [(47, 63), (49, 65), (2, 2), (31, 100)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = picture_video(tmp_path / "a.mp4", np.full((*size, 3), 90, np.uint8))
    clip = load_clip(video_item(path), FrameSampling(2))
    assert clip.frames.shape == (2, *size, 3)
    np.testing.assert_allclose(greys(clip), 90, atol=3)


def test_frames_are_resized_as_pictures_are(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", GREYS)
    small = load_clip(video_item(path), FrameSampling(3), (10, 14))
    whole = load_clip(video_item(path), FrameSampling(3))
    assert small.frames.shape == (3, 10, 14, 3)
    np.testing.assert_allclose(greys(small), greys(whole), atol=1)


def test_numbers_of_frames_whenever_they_are_shown(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 4, 5, 50, 60, 100]
    path = write_video(tmp_path / "a.mkv", GREYS[1:10], times, codec="libx264", key_every=3)
    clip = load_clip(video_item(path), FrameNumbers(4))
    np.testing.assert_allclose(greys(clip), [GREYS[1 + row] for row in (0, 2, 5, 8)], atol=4)
    held = Item("a", "video", Clip(np.stack([pixels(row) for row in range(9)]), np.array(times)))
    np.testing.assert_array_equal(
        load_clip(held, FrameNumbers(4)).frames, held.media.frames[[0, 2, 5, 8]]
    )


def test_more_frames_asked_for_than_there_are(tmp_path: Path) -> None:
    clip = load_clip(video_item(write_video(tmp_path / "a.mp4", [40, 200])), FrameSampling(5))
    np.testing.assert_allclose(greys(clip), [40] + [200] * 4, atol=3)
    assert clip.seconds.tolist() == sorted(clip.seconds.tolist())


def test_the_middle_frame_of_the_whole(tmp_path: Path) -> None:
    middle = middle_of_whole(video_item(write_video(tmp_path / "a.mp4", GREYS)))
    assert abs(middle.astype(float).mean() - 120) <= 5


def test_a_clip_in_memory_is_sampled_by_its_times() -> None:
    frames = np.stack([pixels(seed) for seed in range(4)])
    held = Item("a", "video", Clip(frames, np.array([0.0, 1.0, 2.0, 9.0])))
    clip = load_clip(held, FrameSampling(5))
    assert clip.seconds.tolist() == [1, 2, 2, 9, 9]
    np.testing.assert_array_equal(clip.frames, frames[[1, 2, 2, 3, 3]])
    (small,) = decode_clips([held], FrameSampling(2), (5, 7))
    assert small.frames.shape == (2, 5, 7, 3)


@pytest.mark.parametrize(
    "held",
    [
        pixels(0),
        Clip(np.zeros((0, 4, 4, 3), np.uint8), np.zeros(0)),
        Clip(np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3)),
        Clip(np.zeros((2, 4, 4, 3), np.uint8), np.array([1.0, 0.0])),
    ],
)
def test_what_is_no_clip_is_refused(held: Any) -> None:
    with pytest.raises(MediaError, match=r"not a video|clip is|do not ascend"):
        load_clip(Item("a", "video", held), FrameSampling(1))


def test_clips_come_in_order_whatever_the_workers(tmp_path: Path) -> None:
    items = [video_item(write_video(tmp_path / f"{n}.mp4", [20 * n] * 5)) for n in range(1, 7)]
    one = list(decode_clips(items, FrameSampling(2), workers=1))
    three = list(decode_clips(items, FrameSampling(2), workers=3))
    for n, (first, second) in enumerate(zip(one, three, strict=True), start=1):
        np.testing.assert_array_equal(first.frames, second.frames)
        np.testing.assert_allclose(greys(first), 20 * n, atol=3)


def test_a_playlist_called_a_video_reads_no_other_file(tmp_path: Path) -> None:
    """FFmpeg left to itself follows the list and plays the other file."""
    write_video(tmp_path / "secret.mp4", GREYS)
    playlist = tmp_path / "a.mp4"
    playlist.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with av.open(str(playlist)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25
    with pytest.raises(MediaError, match="looks like a playlist"):
        load_clip(video_item(playlist), FrameSampling(1))


def test_a_playlist_behind_the_signature_of_a_video_reads_no_other_file(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.ts", GREYS, form="mpegts", per_second=25, codec="mpeg2video")
    tail = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n"
    for head in (b"\0\0\0\x08ftyp", b"RIFF\0\0\0\0AVI ", b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba"):
        path = tmp_path / "a.mp4"
        path.write_bytes(head + tail)
        with pytest.raises(MediaError, match=r"damaged|holds no"):
            load_clip(video_item(path), FrameSampling(1))
