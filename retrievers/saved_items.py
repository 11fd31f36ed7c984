"""A gallery's items on disk: files by their path, arrays whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from datasets.base import ByteArray, Clip, Item, Sound

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
        f"{row}.{name}": array
        for row, item in enumerate(items)
        for name, array in _arrays(item).items()
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
            _media(str(row), arrays) if one["path"] is None else Path(one["path"]),
        )
        for row, one in enumerate(listed)
    )


def _arrays(item: Item) -> dict[str, npt.NDArray[Any]]:
    match item.media:
        case Path():
            return {}
        case Sound(samples, rate):
            return {"samples": samples.copy(), "rate": np.array([rate])}
        case Clip(frames, seconds):
            return {"frames": frames.copy(), "seconds": seconds.copy()}
        case pixels:
            return {"pixels": pixels.copy()}


def _media(row: str, arrays: Mapping[str, npt.NDArray[Any]]) -> ByteArray | Sound | Clip:
    if f"{row}.samples" in arrays:
        return Sound(arrays[f"{row}.samples"], int(arrays[f"{row}.rate"][0]))
    if f"{row}.frames" in arrays:
        return Clip(arrays[f"{row}.frames"], arrays[f"{row}.seconds"])
    return arrays[f"{row}.pixels"]
