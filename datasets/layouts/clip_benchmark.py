"""Read the retrieval annotations of CLIP_benchmark: ``flickr30k_test_karpathy.txt``.

A file a split: a header, then ``1007129816.jpg,caption`` on each line. Captions hold commas and
quotes and none of them is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from datasets.annotations import AnnotatedItem, Split
from datasets.base import DatasetError
from datasets.layouts.caption_rows import CaptionRow, gather
from datasets.layouts.published_file import read_lines

# Up to the first extension that a comma follows: a caption may hold ".jpg," too.
_ROW = re.compile(r"(.+?\.(?:jpe?g|png)),(.*)", re.IGNORECASE | re.DOTALL)


def parse(path: Path, split: Split) -> tuple[AnnotatedItem, ...]:
    """The items of an annotation file, in the order of their first lines, all in ``split``.

    An item's id is its file name without extension. A first line that is itself a row is read
    as one. No media file is touched. Raises DatasetError naming the line.
    """
    return gather(_rows(path), split)


def _rows(path: Path) -> Iterator[CaptionRow]:
    for i, (where, line) in enumerate(read_lines(path)):
        row = _ROW.fullmatch(line)
        if row is not None:
            yield CaptionRow(where, row[1], row[2])
        elif i > 0:
            raise DatasetError(f"{where} is not a photo's name, a comma and the caption")
