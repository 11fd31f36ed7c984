"""Gather the captions of layouts that give a row to each: photo, caption."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datasets.annotations import AnnotatedItem, Caption, Split, clean_text, contained_path
from datasets.base import DatasetError


@dataclass(frozen=True)
class CaptionRow:
    """One caption as a file gives it: ``where`` it stands, the photo's ``file``, the text.

    number  the caption's own among those of its photo; its place among them where None
    """

    where: str
    file: str
    text: str
    number: str | None = None


def gather(rows: Iterable[CaptionRow], split: Split) -> tuple[AnnotatedItem, ...]:
    """The items in the order of their first rows, all in ``split``, with relative paths.

    An item's id is its file name without extension, a caption's that id and its number. Raises
    DatasetError naming the row: a path that leaves the folder, two files of one id, a caption
    number that stands twice.
    """
    ids: dict[str, str] = {}
    paths: dict[str, Path] = {}
    captions: dict[str, dict[str, Caption]] = {}
    for row in rows:
        if row.file not in ids:
            path = Path(contained_path(row.file, row.where))
            item = clean_text(path.stem, row.where)
            if paths.setdefault(item, path) != path:
                raise DatasetError(
                    f"{row.where}: {path} and {paths[item]} have the same name without extension; "
                    "rename one of them"
                )
            ids[row.file] = item
        item = ids[row.file]
        known = captions.setdefault(item, {})
        number = str(len(known)) if row.number is None else row.number
        caption = Caption(f"{item}#{number}", clean_text(row.text, row.where))
        if caption.id in known:
            raise DatasetError(f"{row.where}: caption {caption.id!r} stands twice")
        known[caption.id] = caption
    return tuple(
        AnnotatedItem(item, split, path, tuple(captions[item].values()))
        for item, path in paths.items()
    )
