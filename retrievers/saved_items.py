"""A gallery's items on disk: files by their path, arrays whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load_file, save_file

from datasets.base import Item

_LIST = "items.json"
_ARRAYS = "items.safetensors"


def save_items(folder: Path, items: Sequence[Item]) -> None:
    """Write the items; those that are files must still be there when they are used again."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = [
        {
            "id": item.id,
            "modality": item.modality,
            "path": str(item.media.absolute()) if isinstance(item.media, Path) else None,
        }
        for item in items
    ]
    arrays = {
        str(row): item.media.copy()
        for row, item in enumerate(items)
        if not isinstance(item.media, Path)
    }
    save_file(arrays, folder / _ARRAYS)
    (folder / _LIST).write_text(json.dumps(listed), encoding="utf-8")


def load_items(folder: Path) -> tuple[Item, ...]:
    """What ``save_items`` wrote."""
    listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
    arrays = load_file(folder / _ARRAYS)
    return tuple(
        Item(
            one["id"],
            one["modality"],
            arrays[str(row)] if one["path"] is None else Path(one["path"]),
        )
        for row, one in enumerate(listed)
    )
