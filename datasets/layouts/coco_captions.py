"""Read annotations in COCO's caption layout: ``captions_val2017.json`` and the like.

``{"images": [{"id", "file_name"}], "annotations": [{"id", "image_id", "caption"}]}``, from
Chen et al., Microsoft COCO Captions: data collection and evaluation server, 2015.
"""

from __future__ import annotations

from pathlib import Path

from datasets.annotations import AnnotatedItem, Caption, Split, clean_text, contained_path
from datasets.base import DatasetError
from datasets.layouts.json_file import read_object


def parse(path: Path, split: Split) -> tuple[AnnotatedItem, ...]:
    """The items of an annotation file, in its order, all in ``split``, with relative paths.

    Ids are those of the file, as text. No media file is touched. Raises DatasetError naming the
    file and the entry.
    """
    table = read_object(path)
    for key in ("images", "annotations"):
        if not isinstance(table.get(key), list):
            raise DatasetError(f"{path} holds no list {key!r}; it is not in COCO's caption layout")
    files = _files(table["images"], path)
    captions = _captions(table["annotations"], files, path)
    return tuple(
        AnnotatedItem(item, split, relative, tuple(captions[item]))
        for item, relative in files.items()
    )


def _files(images: list[object], path: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for i, image in enumerate(images):
        where = f"{path}, images[{i}]"
        match image:
            case {"id": int() | str() as number, "file_name": str(name)}:
                item = clean_text(str(number), where)
            case _:
                raise DatasetError(f"{where} has no 'id' or no 'file_name'")
        if item in files:
            raise DatasetError(f"{where}: image id {item!r} stands twice")
        files[item] = Path(contained_path(name, where))
    return files


def _captions(
    annotations: list[object], files: dict[str, Path], path: Path
) -> dict[str, list[Caption]]:
    captions: dict[str, list[Caption]] = {item: [] for item in files}
    seen: set[str] = set()
    for i, annotation in enumerate(annotations):
        where = f"{path}, annotations[{i}]"
        match annotation:
            case {
                "id": int() | str() as number,
                "image_id": int() | str() as image,
                "caption": str(text),
            }:
                caption = Caption(str(number), clean_text(text, where))
            case _:
                raise DatasetError(f"{where} has no 'id', no 'image_id' or no 'caption'")
        if caption.id in seen:
            raise DatasetError(f"{where}: caption id {caption.id!r} stands twice")
        if str(image) not in captions:
            raise DatasetError(f"{where}: image id {image!r} is not among the images")
        seen.add(caption.id)
        captions[str(image)].append(caption)
    return captions
