"""What a maker wrote, read back."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path


def file_digests(folder: Path) -> dict[str, str]:
    """The files below a folder by their relative path, each with a hash of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by the names of its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))
