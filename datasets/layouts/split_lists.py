"""Read splits that are given as lists, one text file a split and one photo a line.

Flickr30K Entities lists ids (``1016887272``; Plummer et al., 2015), the lists of Karpathy's
split hold file names (``1007129816.jpg``; as in Multi30K, Elliott et al., 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datasets.annotations import Split, clean_text, contained_path
from datasets.base import DatasetError
from datasets.layouts.published_file import read_lines
from datasets.media.files import modality_of

_OPENING_BYTES = 4096


def lists_file_names(path: Path) -> bool:
    """Whether the first line names a file rather than an id; False where nothing can be read."""
    try:
        with path.open("rb") as stream:
            opening = stream.read(_OPENING_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    first = next(iter(opening.split()), "")
    return modality_of(Path(first)) is not None


def parse(lists: Mapping[Split, Path]) -> dict[str, Split]:
    """Id -> split, in the order of the lists; an id is a file name without extension.

    Raises DatasetError naming the line, for an id that stands twice among them.
    """
    splits: dict[str, Split] = {}
    for split, path in lists.items():
        for where, line in read_lines(path):
            one = _id(line, where)
            if one in splits:
                raise DatasetError(f"{where}: {one!r} stands twice in the lists, see {splits[one]}")
            splits[one] = split
    return splits


def _id(line: str, where: str) -> str:
    path = contained_path(clean_text(line, where), where)
    if len(path.parts) > 1:
        raise DatasetError(f"{where}: {line.strip()!r} is neither an id nor the name of a photo")
    return path.name if modality_of(Path(path)) is None else path.stem
