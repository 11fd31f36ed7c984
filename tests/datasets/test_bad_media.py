"""Files that are bad or odd: each is read, or refused with a sentence, and nothing hangs."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.base import Item, Modality
from datasets.media.files import MediaError
from datasets.media.images import load_image
from datasets.media.sampling import FrameSampling, WindowSampling
from datasets.media.sounds import load_windows
from datasets.media.videos import load_clip
from datasets.verify import verify
from tests.datasets.tiny_files import pixels, tone, write_aac, write_sound, write_video

READ = ""
SECONDS_ALLOWED = 60


@dataclass(frozen=True)
class Case:
    """``make`` writes the file ``path`` names; ``said`` is the refusal, READ if it is read."""

    name: str
    modality: Modality
    suffix: str
    make: Callable[[Path], object]
    said: str = READ


def picture(form: str = "PNG", mode: str = "RGB", **more: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels(0)).convert(mode).save(stream, form, **more)
    return stream.getvalue()


def sixteen_bits(path: Path) -> None:
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).save(path)


def turned_picture(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels(0)).save(path, exif=exif)


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes with any size in its header."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    inside = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + inside


def sound(channels: int = 1, rate: int = 16_000, seconds: float = 0.5, **more: Any) -> Any:
    return lambda path: write_sound(path, tone(seconds, rate, channels=channels), rate, **more)


def sound_with(value: float) -> Callable[[Path], object]:
    samples = tone(0.5)
    samples[0, 4000] = value
    return lambda path: write_sound(path, samples)


def samples(*values: float) -> Callable[[Path], object]:
    return lambda path: write_sound(path, np.array([values], np.float32))


def wav_that_claims(data_bytes: int, held: int, rate: int = 16_000) -> bytes:
    """A 16-bit mono WAV whose header promises ``data_bytes``."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = form + struct.pack("<4sI", b"data", data_bytes) + bytes(range(250)) * (held // 250)
    return b"RIFF" + struct.pack("<I", min(data_bytes + 36, 0xFFFF_FFFF)) + b"WAVE" + body


def video(count: int = 25, **more: Any) -> Callable[[Path], object]:
    return lambda path: write_video(path, [(9 * n) % 250 for n in range(count)], **more)


def cut(make: Callable[[Path], object], share: float) -> Callable[[Path], object]:
    """The first ``share`` of a good file."""

    def write(path: Path) -> None:
        make(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return write


def overwritten(make: Callable[[Path], object], start: float, end: float) -> Any:
    """A good file with zeros from ``start`` to ``end`` of its length."""

    def write(path: Path) -> None:
        make(path)
        content = bytearray(path.read_bytes())
        first, last = int(start * len(content)), int(end * len(content))
        content[first:last] = bytes(last - first)
        path.write_bytes(content)

    return write


def replaced(make: Callable[[Path], object], old: bytes, new: bytes) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        make(path)
        content = path.read_bytes()
        assert old in content and len(old) == len(new)
        path.write_bytes(content.replace(old, new))

    return write


def avi_of(width: int, height: int) -> Callable[[Path], object]:
    """A good AVI whose headers say that its frames are of another size."""

    def write(path: Path) -> None:
        write_video(path, [40] * 10, codec="ffv1")
        content = path.read_bytes()
        old, new = struct.pack("<ii", 64, 48), struct.pack("<ii", width, height)
        assert content.count(old) >= 2
        path.write_bytes(content.replace(old, new))

    return write


def cover_art_only(path: Path) -> None:
    """An MP4 with a sound and a picture attached to it."""
    write_aac(path, tone(0.5, 44_100), 44_100, "mp4")
    with av.open(str(path)) as source, av.open(str(path) + ".mp4", "w", format="mp4") as target:
        heard = target.add_stream_from_template(source.streams.audio[0])
        shown = target.add_stream("png", rate=1)
        shown.width, shown.height, shown.pix_fmt = 16, 12, "rgb24"
        shown.disposition = Disposition.attached_pic
        target.mux(shown.encode(av.VideoFrame.from_ndarray(pixels(0), format="rgb24")))
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = heard
                target.mux(packet)
    Path(str(path) + ".mp4").rename(path)


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def broken_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def endless_link(path: Path) -> None:
    path.symlink_to(path)


def unreadable(path: Path) -> None:
    path.parent.chmod(0o700)
    path.write_bytes(b"x")
    path.chmod(0)


PLAYLISTS = {
    "HLS": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://localhost/a.ts\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "SDP": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 9 RTP/AVP 96\n",
    "DASH": b"<?xml version='1.0'?><MPD><Period/></MPD>",
}
ANYTHING: tuple[tuple[Modality, str], ...] = (
    ("image", ".jpg"),
    ("audio", ".wav"),
    ("video", ".mp4"),
)

CASES = [
    *(
        Case(name, modality, suffix, make, said)
        for modality, suffix in ANYTHING
        for name, make, said in (
            ("zero bytes", content(b""), r"is empty \(0 bytes\)"),
            (
                "one byte",
                content(b"\0"),
                "in a known format; it begins with nothing but zeros|is not",
            ),
            ("text", content(b"A dog runs over the grass.\n" * 9), "in a known format"),
            ("web page", content(b"<html>not found</html>"), "in a known format"),
            ("zeros", content(bytes(9000)), "in a known format"),
            ("directory", Path.mkdir, "is not a regular file"),
            ("FIFO", os.mkfifo, "is not a regular file"),
            ("broken link", broken_link, "is missing"),
            ("link to itself", endless_link, "cannot be read"),
            ("nothing there", lambda path: None, "is missing"),
        )
    ),
    Case("JPEG called PNG", "image", ".png", content(picture("JPEG"))),
    Case("CMYK", "image", ".jpg", content(picture("JPEG", "CMYK"))),
    Case("grey with alpha", "image", ".png", content(picture("PNG", "LA"))),
    Case("palette", "image", ".gif", content(picture("GIF", "P"))),
    Case("one bit", "image", ".png", content(picture("PNG", "1"))),
    Case("16 bits", "image", ".png", sixteen_bits),
    Case("floating point", "image", ".tiff", content(picture("TIFF", "F")), "floating-point"),
    Case("EXIF rotation", "image", ".jpg", turned_picture),
    Case("header alone", "image", ".jpg", content(picture("JPEG")[:20]), "damaged|known format"),
    Case("half", "image", ".jpg", content(picture("JPEG")[:500]), "damaged or cut short"),
    Case("without its end", "image", ".png", content(picture()[:-40]), "damaged or cut short"),
    Case("bomb", "image", ".png", content(png_that_claims(50_000, 50_000)), "pixels, the limit"),
    Case("size it lacks", "image", ".png", content(png_that_claims(500, 500)), "damaged|cut short"),
    Case("no width", "image", ".png", content(png_that_claims(0, 5)), "damaged|known format"),
    Case("sound called a picture", "image", ".jpg", sound(), "not a picture in a known format"),
    Case("stereo", "audio", ".wav", sound(2)),
    Case("5.1", "audio", ".wav", sound(6)),
    Case("64 channels", "audio", ".wav", sound(64)),
    Case("65 channels", "audio", ".wav", sound(65), "65 channels; the limit is 64"),
    Case("8 kHz", "audio", ".wav", sound(rate=8_000)),
    Case("22,051 Hz", "audio", ".flac", sound(rate=22_051, form="FLAC", subtype="PCM_16")),
    Case("192 kHz", "audio", ".wav", sound(rate=192_000)),
    Case(
        "3 samples a second", "audio", ".wav", sound(rate=3, seconds=9), "3 samples a second, not"
    ),
    Case("8 bits", "audio", ".wav", sound(subtype="PCM_U8")),
    Case("24 bits", "audio", ".wav", sound(subtype="PCM_24")),
    Case("A-law", "audio", ".wav", sound(subtype="ALAW")),
    Case("double precision", "audio", ".wav", sound(subtype="DOUBLE")),
    Case("MP3 called WAV", "audio", ".wav", sound(form="MP3", subtype="")),
    Case("WAV called MP3", "audio", ".mp3", sound()),
    Case("Opus called OGG", "audio", ".ogg", sound(rate=48_000, form="OGG", subtype="OPUS")),
    Case(
        "AAC called WAV", "audio", ".wav", lambda p: write_aac(p, tone(1, 44_100), 44_100, "adts")
    ),
    Case("sound of a video file", "audio", ".m4a", cover_art_only),
    Case("video without sound", "audio", ".m4a", video(form="mp4"), "holds no sound"),
    Case("one sample", "audio", ".wav", samples(0.5)),
    Case("no sample", "audio", ".wav", samples(), "holds no sample"),
    Case("silence", "audio", ".wav", samples(*[0.0] * 999)),
    Case("NaN", "audio", ".wav", sound_with(np.nan), "no numbers"),
    Case("infinite", "audio", ".wav", sound_with(-np.inf), "no numbers"),
    Case(
        "hour-long header", "audio", ".wav", content(wav_that_claims(115_200_000, 5_000)), "is cut"
    ),
    Case("length unknown", "audio", ".wav", content(wav_that_claims(0xFFFF_FFFF, 5_000))),
    Case("a little short", "audio", ".wav", content(wav_that_claims(5_200, 5_000))),
    Case("half a WAV", "audio", ".wav", cut(sound(), 0.5), "is cut short: .* bytes"),
    Case(
        "half a FLAC", "audio", ".flac", cut(sound(form="FLAC", subtype="PCM_16"), 0.5), "cut short"
    ),
    Case("WAV header alone", "audio", ".wav", cut(sound(), 0.001), "damaged|cut short|no sample"),
    Case(
        "half an M4A",
        "audio",
        ".m4a",
        cut(lambda p: write_aac(p, tone(1), 16_000, "mp4"), 0.5),
        "damaged",
    ),
    Case("picture called a sound", "audio", ".wav", content(picture()), "it looks like a PNG"),
    Case(
        "LFS pointer",
        "audio",
        ".wav",
        content(b"version https://git-lfs.github.com/spec/v1\n"),
        "Git LFS",
    ),
    Case("variable frame rate", "video", ".mp4", video(4, times=[0, 1, 9, 30])),
    Case("single frame", "video", ".mp4", video(1)),
    Case("odd size", "video", ".mkv", video(size=(49, 65), codec="ffv1")),
    Case("AVI called MP4", "video", ".mp4", video(form="avi")),
    Case(
        "MPEG-TS called AVI",
        "video",
        ".avi",
        video(per_second=25, form="mpegts", codec="mpeg2video"),
    ),
    Case(
        "sound alone",
        "video",
        ".mp4",
        lambda p: write_aac(p, tone(1), 16_000, "mp4"),
        "no video stream",
    ),
    Case("cover picture alone", "video", ".mp4", cover_art_only, "holds no video stream"),
    Case(
        "without a frame",
        "video",
        ".avi",
        replaced(video(form="avi"), b"00dc", b"JUNK"),
        "holds no frame|damaged",
    ),
    Case("without its index", "video", ".mp4", cut(video(), 0.5), "is damaged or cut short"),
    Case("half an AVI", "video", ".avi", cut(video(200), 0.5), "is cut short: .* of the"),
    Case("half a Matroska", "video", ".mkv", cut(video(200), 0.5), "is cut short: .* of the"),
    Case("header alone", "video", ".avi", cut(video(), 0.02), "is cut short"),
    Case(
        "damaged throughout",
        "video",
        ".mkv",
        overwritten(video(200, codec="libx264"), 0.2, 1),
        "damaged|cut short",
    ),
    Case("a frame damaged", "video", ".avi", overwritten(video(200), 0.5, 0.505)),
    Case(
        "huge frames",
        "video",
        ".avi",
        avi_of(12_000, 12_000),
        "has frames of 12,000 x 12,000 pixels",
    ),
    Case("impossible frames", "video", ".avi", avi_of(60_000, 60_000), "is damaged"),
    Case("picture called a video", "video", ".mp4", content(picture("GIF")), "it looks like a GIF"),
    *(
        Case(
            f"{name} playlist",
            "video",
            ".mp4",
            content(text),
            "not a video in a known format; it looks",
        )
        for name, text in PLAYLISTS.items()
    ),
]


def decode(item: Item) -> np.ndarray[Any, Any]:
    if item.modality == "image":
        return load_image(item)
    if item.modality == "audio":
        return load_windows(item, WindowSampling(16_000, 1.0, 2))
    return load_clip(item, FrameSampling(3), (24, 32)).frames


def within_bounds(function: Callable[[], Any]) -> Any:
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function).result(timeout=SECONDS_ALLOWED)
    finally:
        pool.shutdown(wait=False)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.modality}: {case.name}")
def test_each_is_read_or_refused_with_a_sentence(case: Case, tmp_path: Path) -> None:
    path = tmp_path / f"a{case.suffix}"
    case.make(path)
    item = Item("a", case.modality, path)
    found = within_bounds(lambda: verify([item], cache=tmp_path / "cache", workers=1))
    if case.said == READ:
        assert not found.gaps
        assert within_bounds(lambda: decode(item)).size
        return
    (gap,) = found.gaps
    assert "\n" not in gap.reason and not gap.reason.endswith(".")
    with pytest.raises(MediaError, match=case.said):
        within_bounds(lambda: decode(item))
    assert found.digests == {} and found.signatures == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize(("modality", "suffix"), ANYTHING)
def test_a_file_that_may_not_be_read(tmp_path: Path, modality: Modality, suffix: str) -> None:
    unreadable(tmp_path / f"a{suffix}")
    with pytest.raises(MediaError, match="cannot be read"):
        decode(Item("a", modality, tmp_path / f"a{suffix}"))


SEEDS: tuple[tuple[Modality, str, Callable[[Path], object]], ...] = (
    ("audio", "wav", sound(seconds=0.1)),
    ("audio", "flac", sound(seconds=0.1, form="FLAC", subtype="PCM_16")),
    ("audio", "ogg", sound(seconds=0.1, form="OGG", subtype="VORBIS")),
    ("audio", "mp3", sound(seconds=0.1, form="MP3", subtype="")),
    ("audio", "m4a", lambda path: write_aac(path, tone(0.1), 16_000, "mp4")),
    ("audio", "aac", lambda path: write_aac(path, tone(0.1), 16_000, "adts")),
    ("video", "mp4", video(6)),
    ("video", "avi", video(6)),
    ("video", "mkv", video(6, codec="libx264")),
    ("video", "webm", video(6, codec="libvpx")),
    ("video", "mpg", video(6, per_second=25, codec="mpeg2video")),
    ("video", "ts", video(6, per_second=25, codec="mpeg2video", form="mpegts")),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    for _, suffix, make in SEEDS:
        make(folder / f"a.{suffix}")
    return {path.suffix[1:]: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_any_damage_gives_an_array_or_a_media_error(
    good: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    seed: tuple[Modality, str, Any],
    damage: list[tuple[float, int]],
    kept: float,
) -> None:
    modality, suffix, _ = seed
    changed = bytearray(good[suffix])
    for place, value in damage:
        changed[int(place * len(changed))] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    path.write_bytes(changed[: int(kept * len(changed))])
    item = Item("a", modality, path)
    try:
        read = within_bounds(lambda: decode(item))
    except MediaError as error:
        assert error.reason
        return
    shape, kind = ((2, 16_000), np.float32) if modality == "audio" else ((3, 24, 32, 3), np.uint8)
    assert read.shape == shape and read.dtype == kind and np.isfinite(read).all()
