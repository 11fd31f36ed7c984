"""Open a sound or video as the format that it is, kept from all other files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from typing import Any, NoReturn, cast

import av
import soundfile
from av.container import InputContainer

from datasets.base import Item
from datasets.media.content import HEAD_BYTES, format_of, likeness
from datasets.media.files import MediaError, open_file

# What FFmpeg calls the reader of each format.
_READERS = {
    "aac": "aac",
    "avi": "avi",
    "matroska": "matroska",
    "mp4": "mov",
    "mpeg": "mpeg",
    "mpegts": "mpegts",
    "ogg": "ogg",
}
# Of what a header promises (bytes, seconds, samples), the part that must be there. A header may be
# a little wrong without anything missing; where a file was cut short it is wrong by more.
WHOLE = 0.9
# The size that a program writes into a header when it does not know yet how much will come.
_SIZE_UNKNOWN = 0x7FFF_0000
_NO_OTHER_FILE = {"protocol_whitelist": "none"}


@contextmanager
def opened(item: Item, formats: Collection[str], what: str) -> Iterator[tuple[FileIO, str]]:
    """An item's file at its first byte and its format, for the span of a ``with``.

    formats  those of ``format_of`` that are accepted
    what     "a video", "a sound": for the message

    Any error within the span becomes a MediaError.
    """
    with open_file(item) as stream:
        try:
            head = stream.read(HEAD_BYTES)
            stream.seek(0)
            form = format_of(head)
            if form is None or form not in formats:
                raise MediaError(item, f"is not {what} in a known format{likeness(head)}")
            _expect_whole_riff(item, head, os.fstat(stream.fileno()).st_size)
            yield stream, form
        except MediaError:
            raise
        # A decoder may raise anything on hostile bytes.
        except Exception as error:
            raise MediaError(item, f"is damaged or cut short: {_cause(error)}") from error


@contextmanager
def container_of(stream: FileIO, form: str) -> Iterator[InputContainer]:
    """A stream in one of our formats as FFmpeg sees it.

    FFmpeg gets the open file, its format, and neither its name nor leave to open another: no
    file can make it read a second one or reach the network.
    """
    with av.open(
        stream,
        format=_READERS[form],
        options=_NO_OTHER_FILE,
        io_open=_refuse,
        metadata_errors="replace",
    ) as container:
        yield cast(InputContainer, container)


def _expect_whole_riff(item: Item, head: bytes, held: int) -> None:
    """Refuse a WAV or AVI file that ends before its header says: its readers would not tell."""
    if head[:4] != b"RIFF" or len(head) < 8:
        return
    promised = 8 + int.from_bytes(head[4:8], "little")
    if promised < _SIZE_UNKNOWN and held < WHOLE * promised:
        raise MediaError(
            item, f"is cut short: {held:,} of the {promised:,} bytes that it promises are there"
        )


def _refuse(url: str, flags: int, options: Mapping[str, Any]) -> NoReturn:
    raise PermissionError("it refers to another file, which is not opened")


def _cause(error: Exception) -> str:
    """What a library says, as a clause on one line."""
    match error:
        case av.FFmpegError():
            said = error.strerror
        case soundfile.LibsndfileError():
            said = error.error_string
        case _:
            said = str(error)
    return " ".join((said or type(error).__name__).split()).rstrip(".")
