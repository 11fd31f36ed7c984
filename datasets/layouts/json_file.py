"""Read a JSON file that must hold an object, or a list, and lines that hold an object each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets.base import DatasetError
from datasets.layouts.published_file import read_content


def read_object(path: Path) -> dict[str, Any]:
    """The object in a UTF-8 JSON file. Raises DatasetError naming the file."""
    value = _read(path)
    if not isinstance(value, dict):
        raise DatasetError(f"{path} holds a {type(value).__name__}, not an object")
    return value


def read_list(path: Path) -> list[Any]:
    """The list in a UTF-8 JSON file. Raises DatasetError naming the file."""
    value = _read(path)
    if not isinstance(value, list):
        raise DatasetError(f"{path} holds a {type(value).__name__}, not a list")
    return value


def object_line(where: str, line: str) -> dict[str, Any]:
    """The object in one line of a JSONL file. Raises DatasetError that tells where it stands."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise DatasetError(f"{where} holds a {type(fields).__name__}, not an object")
    return fields


def _read(path: Path) -> Any:
    content = read_content(path)
    try:
        # Decoded here: json.loads would take a file of zero bytes between letters for UTF-16.
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path} is not JSON: {error}; it may be damaged, get it again"
        ) from error
