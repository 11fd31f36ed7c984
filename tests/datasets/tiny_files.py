"""Hand-made media and annotation files for the dataset tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datasets.base import Item


def pixels(seed: int, height: int = 12, width: int = 16) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Noise, different for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed)).save(path)
    return path


def image_item(path: Path) -> Item:
    return Item(path.stem, "image", path)


def karpathy_image(name: str, split: str, captions: Sequence[str], **more: Any) -> dict[str, Any]:
    return {
        "filename": name,
        "split": split,
        "sentences": [{"raw": text} for text in captions],
        **more,
    }


def write_karpathy(path: Path, images: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": list(images), "dataset": "x"}), encoding="utf-8")
    return path


def write_coco(path: Path, captions: dict[int, Sequence[str]]) -> Path:
    """A caption file with an image ``<id>.jpg`` for each id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = [(image, text) for image, texts in captions.items() for text in texts]
    table = {
        "images": [{"id": image, "file_name": f"{image}.jpg"} for image in captions],
        "annotations": [
            {"id": 1000 * image + number, "image_id": image, "caption": text}
            for number, (image, text) in enumerate(pairs)
        ],
    }
    path.write_text(json.dumps(table), encoding="utf-8")
    return path
