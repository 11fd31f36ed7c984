"""Read annotations in Karpathy's layout: ``dataset_flickr30k.json``, ``dataset_coco.json``.

``{"images": [{"filename", "split", "sentences": [{"raw", "sentid"}], ...}], "dataset"}``, from
Karpathy and Fei-Fei, Deep visual-semantic alignments for generating image descriptions, 2015.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets.annotations import AnnotatedItem, Caption, Split, clean_text, contained_path
from datasets.base import DatasetError
from datasets.layouts.json_file import read_object

SPLITS: dict[str, Split] = {
    "train": "train",
    "restval": "train",
    "val": "validation",
    "test": "test",
}


def parse(path: Path) -> tuple[AnnotatedItem, ...]:
    """The items of an annotation file, in its order, with relative paths.

    An item's id is its ``cocoid``, else its file name without extension; a caption's id is its
    ``sentid``, else the item's id and the caption's place. COCO's ``restval`` joins ``train``, as
    is usual. No media file is touched. Raises DatasetError naming the file and the image.
    """
    images = read_object(path).get("images")
    if not isinstance(images, list):
        raise DatasetError(f"{path} holds no list 'images'; it is not in Karpathy's layout")
    items = tuple(_item(image, f"{path}, images[{i}]") for i, image in enumerate(images))
    _refuse_repeats((item.id for item in items), f"{path}: image id")
    _refuse_repeats((c.id for item in items for c in item.captions), f"{path}: sentid")
    return items


def _item(image: Any, where: str) -> AnnotatedItem:
    try:
        relative = contained_path(_file(image), where)
        split = SPLITS.get(image["split"])
        item_id = _id(image.get("cocoid", relative.stem))
        captions = tuple(
            Caption(
                clean_text(_id(sentence.get("sentid", f"{item_id}#{j}")), where),
                clean_text(sentence["raw"], f"{where}, sentences[{j}]"),
            )
            for j, sentence in enumerate(image["sentences"])
        )
    except KeyError as error:
        raise DatasetError(f"{where}: {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise DatasetError(f"{where} is not in Karpathy's layout: {error}") from error
    if split is None:
        raise DatasetError(f"{where}: split {image['split']!r} is none of {', '.join(SPLITS)}")
    return AnnotatedItem(clean_text(item_id, where), split, Path(relative), captions)


def _file(image: Any) -> str:
    folder, name = image.get("filepath") or "", image["filename"]
    if not (isinstance(folder, str) and isinstance(name, str)):
        raise TypeError(f"{name!r} in {folder!r} is not the name of a file in a folder")
    return f"{folder}/{name}" if folder else name


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{value!r} is neither a number nor text")
    return str(value)


def _refuse_repeats(ids: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise DatasetError(f"{what} {one!r} stands twice")
        seen.add(one)
