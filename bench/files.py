"""Files that are written whole or not at all, and digests of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any


def digest_of(content: bytes) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def json_bytes(value: Any) -> bytes:
    """To be read by people. Raises ValueError where a figure is not a finite number."""
    return json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False).encode()


def compact_json_bytes(value: Any) -> bytes:
    """The same on one line, for long rows of figures."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def file_stem(told: str) -> str:
    """A name for a file of any words; a digest tells apart what would have the same one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", told).strip(".-")[:100]
    if plain == told:
        return plain
    return f"{plain}-{hashlib.blake2b(told.encode(), digest_size=4).hexdigest()}".lstrip("-")


def write_synced(path: Path, content: bytes) -> None:
    """Write, and return when the disk holds it."""
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(path: Path) -> None:
    """Return when the disk holds the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write through a temporary name, so that no reader sees half of it."""
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    os.close(descriptor)
    try:
        write_synced(Path(name), content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
