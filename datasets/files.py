"""Find annotation files and media below a data folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from datasets.annotations import AnnotatedItem
from datasets.media.files import modality_of

ANNOTATION_FOLDERS = (".", "annotations")


def find_file(folder: Path, name: str, within: Sequence[str] = ANNOTATION_FOLDERS) -> Path | None:
    """The file in the folder, or in its ``annotations`` folder as COCO's archives unpack.

    ``within`` names other folders below ``folder`` to look in, in order of preference.
    """
    for inner in within:
        path = folder / inner / name
        if path.is_file():
            return path
    return None


def find_named_like(folder: Path, name: str) -> list[Path]:
    """The files whose names begin and end as ``name`` does, ``name`` itself left out.

    ``dataset_coco_small.json`` is named like ``dataset_coco.json``. Looked for where
    ``find_file`` looks; sorted.
    """
    like = Path(name)
    return sorted(
        path
        for inner in ANNOTATION_FOLDERS
        for path in (folder / inner).glob(f"{glob.escape(like.stem)}*{like.suffix}")
        if path.name != name and path.is_file()
    )


def has_media(folder: Path, media: Sequence[str]) -> bool:
    """Whether any folder where media may lie holds at least one media file."""
    return any(_holds_media(place) for place in media_folders(folder, media))


def place(
    items: Iterable[AnnotatedItem], folder: Path, media: Sequence[str]
) -> tuple[AnnotatedItem, ...]:
    """The items with the absolute paths of their files under ``folder``.

    A relative path ``val2014/a.jpg`` is looked for as it stands, below each of ``media``, then
    by its name alone wherever media may lie. A file that is found nowhere keeps the first of
    these whose folder exists, for the message that it is missing.
    """
    folder = folder.absolute()
    anywhere = tuple(one for one in media_folders(folder, media) if one.is_dir())
    listings: dict[Path, frozenset[str]] = {}

    def names(parent: Path) -> frozenset[str]:
        if parent not in listings:
            listings[parent] = _listing(parent)
        return listings[parent]

    def candidates(relative: Path) -> Iterator[Path]:
        if len(relative.parts) > 1:
            yield folder / relative
            yield from (folder / name / relative for name in media)
        yield from (one / relative.name for one in anywhere)

    def located(relative: Path) -> Path:
        for path in candidates(relative):
            if path.name in names(path.parent):
                return path
        return next(
            (path for path in candidates(relative) if names(path.parent)), folder / relative
        )

    return tuple(replace(item, path=located(item.path)) for item in items)


def media_folders(folder: Path, media: Sequence[str]) -> Iterator[Path]:
    """Every folder where media may lie, whether it exists or not; ``folder`` itself is the last."""
    for outer in media:
        yield folder / outer
        for inner in media:
            yield folder / outer / inner
    yield folder


def _holds_media(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(modality_of(Path(entry.name)) is not None for entry in entries)
    except OSError:
        return False


def _listing(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir())
    except OSError:
        return frozenset()
