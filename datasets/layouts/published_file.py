"""Read a published annotation file whole, up to a size that none of them reaches."""

from __future__ import annotations

from pathlib import Path

from datasets.base import DatasetError

# The largest, COCO's dataset_coco.json, has a seventh of this.
MAX_BYTES = 1 << 30


def read_content(path: Path) -> bytes:
    """The bytes of a file. Raises DatasetError when it cannot be read or is larger than a GiB."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DatasetError(
                f"{path} has {size:,} bytes, more than any published annotation file "
                f"({MAX_BYTES:,} are read at most); get it again"
            )
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error


def read_lines(path: Path) -> list[tuple[str, str]]:
    """The lines of a UTF-8 text file that are not blank, each behind the place it stands at.

    Lines end with LF or CR LF; a byte-order mark is not part of the first. Raises DatasetError
    naming the file and, where it is not UTF-8, the line.
    """
    content = read_content(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{path}, line {line} is not UTF-8; the file may be damaged, get it again"
        ) from error
    return [
        (f"{path}, line {number}", line.removesuffix("\r"))
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]
