"""Read Flickr30K's own annotation file, ``results_20130124.token``.

``1000092795.jpg#0<TAB>caption``, a line a caption and no header, from Young et al., From image
descriptions to visual denotations, 2014. The file knows no splits.
"""

from __future__ import annotations

from pathlib import Path

from datasets.annotations import AnnotatedItem, Split
from datasets.base import DatasetError
from datasets.layouts.caption_rows import CaptionRow, gather
from datasets.layouts.published_file import read_lines


def parse(path: Path, split: Split) -> tuple[AnnotatedItem, ...]:
    """The items of a token file, in the order of their first lines, all in ``split``.

    A caption's id is ``1000092795#0``. Empty captions are kept as they stand. No media file is
    touched. Raises DatasetError naming the line.
    """
    return gather((_row(where, line) for where, line in read_lines(path)), split)


def _row(where: str, line: str) -> CaptionRow:
    name, tab, caption = line.partition("\t")
    file, _, number = name.rpartition("#")
    if not (tab and file and number.isascii() and number.isdecimal()):
        raise DatasetError(
            f"{where} is not a photo's name, '#', the caption's number, a tab and the caption"
        )
    return CaptionRow(where, file, caption, number)
