"""Read the retrieval annotations of LAVIS and BLIP: ``flickr30k_test.json`` and the like.

A file a split: ``[{"image": "flickr30k-images/1007129816.jpg", "caption": [..]}]`` for val and
test; for train a row a caption, ``"caption"`` being its text. From Li et al., BLIP:
bootstrapping language-image pre-training, 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datasets.annotations import AnnotatedItem, Split
from datasets.base import DatasetError
from datasets.layouts.caption_rows import CaptionRow, gather
from datasets.layouts.json_file import read_list


def parse(path: Path, split: Split) -> tuple[AnnotatedItem, ...]:
    """The items of an annotation file, in its order, all in ``split``, with relative paths.

    An item's id is its file name without extension. No media file is touched. Raises
    DatasetError naming the file and the entry.
    """
    return gather(_rows(path), split)


def _rows(path: Path) -> Iterator[CaptionRow]:
    for i, entry in enumerate(read_list(path)):
        where = f"{path}, [{i}]"
        match entry:
            case {"image": str(image), "caption": str(text)}:
                yield CaptionRow(where, image, text)
            case {"image": str(image), "caption": [*texts]} if texts:
                for text in texts:
                    if not isinstance(text, str):
                        raise DatasetError(f"{where}: a caption is not text but {text!r}")
                    yield CaptionRow(where, image, text)
            case _:
                raise DatasetError(f"{where} has no 'image' or no 'caption'")
