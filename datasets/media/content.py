"""What a file is by its first bytes, whatever it is called.

A decoder is told which format to read and never guesses: a guess could take a text file for a
playlist, and a playlist names other files and addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

HEAD_BYTES = 4096


def format_of(head: bytes) -> str | None:
    """The format that the first ``HEAD_BYTES`` of a file begin, by a short name; None if unknown.

    Sounds: wav, flac, mp3, aac. Videos: avi, mpeg, mpegts. Either: mp4, matroska, ogg.
    """
    return next(_matches(head), None)


def likeness(head: bytes) -> str:
    """A clause on what an unusable file seems to be, for a message; empty where unknown."""
    for start, name in _OTHERS:
        if head.startswith(start):
            return f"; it looks like {name}"
    if head and not head.strip(b"\0"):
        return "; it begins with nothing but zeros"
    if _is_text(head):
        return "; it looks like a text"
    return ""


_OTHERS = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"#EXTM3U", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"v=0", "a session description"),
    (b"<", "a web page"),
    (b"%PDF", "a PDF document"),
    (b"PK", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself"),
)
_PACKET = 188


def _matches(head: bytes) -> Iterator[str]:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        yield "wav"
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        yield "avi"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        yield "mp4"
    for start, name in (
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (b"OggS", "ogg"),
        (b"fLaC", "flac"),
        (b"ID3", "mp3"),
        (b"\x00\x00\x01\xba", "mpeg"),
    ):
        if head.startswith(start):
            yield name
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        yield "aac"
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        yield "mp3"
    if head[:1] == b"\x47" and head[_PACKET : _PACKET + 1] == b"\x47":
        yield "mpegts"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode()
    return bool(text) and all(sign.isprintable() or sign.isspace() for sign in text)
