"""Read the tables of Clotho: ``clotho_captions_evaluation.csv``, ``clotho_metadata_*.csv``.

A file a split: ``file_name,caption_1,...,caption_5``, from Drossos, Lipping and Virtanen, Clotho:
an audio captioning dataset, ICASSP 2020.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

from datasets.annotations import AnnotatedItem, Caption, Split, clean_text, contained_path
from datasets.base import DatasetError
from datasets.layouts.csv_table import Row, read_table

_CAPTIONS = tuple(f"caption_{number}" for number in range(1, 6))


def parse(path: Path, split: Split, prefix: str) -> tuple[AnnotatedItem, ...]:
    """The items of a caption table, in its order, all in ``split``, with relative paths.

    An item's id is ``prefix``, a slash and its file name without extension, since some names
    stand in two splits. Public copies differ in white space around a name, which the id leaves
    out and the path keeps. Raises DatasetError naming the line.
    """
    items: dict[str, AnnotatedItem] = {}
    for row in read_table(path, ("file_name", *_CAPTIONS)):
        item = _item(row, split, prefix)
        if item.id in items:
            raise DatasetError(f"{row.where}: {row.fields['file_name']!r} stands twice")
        items[item.id] = item
    return tuple(items.values())


def _item(row: Row, split: Split, prefix: str) -> AnnotatedItem:
    relative = Path(contained_path(row.fields["file_name"], row.where))
    name = clean_text(relative.stem, row.where)
    if len(relative.parts) > 1 or not name:
        raise DatasetError(f"{row.where}: {row.fields['file_name']!r} is not the name of a sound")
    captions = tuple(
        Caption(f"{prefix}/{name}#{number}", clean_text(row.fields[column], row.where))
        for number, column in enumerate(_CAPTIONS, start=1)
    )
    return AnnotatedItem(f"{prefix}/{name}", split, relative, captions, "audio")


def licences(path: Path) -> Counter[str]:
    """How many sounds of a metadata table have each licence. Raises DatasetError.

    These tables are ISO-8859-1, unlike those of the captions.
    """
    rows = read_table(path, ("file_name", "license"), encoding="iso-8859-1")
    return Counter(unicodedata.normalize("NFC", row.fields["license"]).strip() for row in rows)
