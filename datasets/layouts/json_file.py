"""Read a JSON file that must hold an object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets.base import DatasetError


def read_object(path: Path) -> dict[str, Any]:
    """The object in a UTF-8 JSON file. Raises DatasetError naming the file."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path} is not JSON: {error}; it may be damaged, get it again"
        ) from error
    if not isinstance(value, dict):
        raise DatasetError(f"{path} holds a {type(value).__name__}, not an object")
    return value
