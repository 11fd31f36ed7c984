"""Media files as bytes: which kinds are known, and what is refused before decoding."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

from datasets.base import Item, Modality

EXTENSIONS: dict[Modality, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    "audio": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac"),
    "video": (".mp4", ".webm", ".avi", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg"),
}
# A picture is read whole; sounds and videos are read in parts and may be larger.
MAX_BYTES = 1 << 28
MAX_STREAMED_BYTES = 1 << 33


class MediaError(Exception):
    """A media file that cannot be used; ``reason`` is a clause without the file's name."""

    def __init__(self, item: Item, reason: str, *, missing: bool = False) -> None:
        super().__init__(item, reason)
        self.item = item
        self.reason = reason
        self.missing = missing

    def __str__(self) -> str:
        place = f" ({self.item.media})" if isinstance(self.item.media, Path) else ""
        return f"{self.item.id}{place}: {self.reason}"


def modality_of(path: Path) -> Modality | None:
    """The modality that the file's extension promises; None for an unknown extension."""
    suffix = path.suffix.lower()
    return next((modality for modality, known in EXTENSIONS.items() if suffix in known), None)


def read_bytes(item: Item) -> bytes:
    """The content of an item's file. Raises MediaError when there is none to read."""
    path = _path(item)
    try:
        _check(item, path.stat(), MAX_BYTES)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(item, "is missing", missing=True) from error
    except (OSError, ValueError) as error:
        raise MediaError(item, f"cannot be read: {error}") from error


def open_file(item: Item) -> FileIO:
    """An item's file, open for reading in parts. Raises MediaError when there is none to read."""
    path = _path(item)
    try:
        # A pipe is never opened: that would wait for its writer.
        _check(item, path.stat(), MAX_STREAMED_BYTES)
        return path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise MediaError(item, "is missing", missing=True) from error
    except (OSError, ValueError) as error:
        raise MediaError(item, f"cannot be read: {error}") from error


def _path(item: Item) -> Path:
    if not isinstance(item.media, Path):
        raise TypeError(f"item {item.id!r} holds an array, not a file")
    return item.media


def _check(item: Item, status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(item, "is not a regular file")
    if status.st_size == 0:
        raise MediaError(item, "is empty (0 bytes)")
    if status.st_size > most:
        raise MediaError(item, f"is {status.st_size:,} bytes; the limit is {most:,}")
