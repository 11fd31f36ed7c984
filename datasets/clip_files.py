"""Find the files of sounds and videos, whose names and folders differ between public copies."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.annotations import AnnotatedItem, Split
from datasets.base import Modality
from datasets.files import media_folders
from datasets.media.files import EXTENSIONS


@dataclass(frozen=True)
class Wanted:
    """An item, its path being the published file name, and the stems its file may have.

    A stem is a file name without extension; the surest comes first.
    """

    item: AnnotatedItem
    stems: tuple[str, ...]


def place_clips(
    wanted: Sequence[Wanted],
    folder: Path,
    media: Sequence[str],
    split_folders: Mapping[Split, str] | None = None,
) -> tuple[tuple[AnnotatedItem, ...], tuple[str, ...]]:
    """The items with the absolute paths of their files under ``folder``, and notes on them.

    A file is looked for wherever media may lie, by each stem in turn with any extension of the
    item's modality: the stem as it stands, then without outer white space in Unicode NFC, then
    with ``_`` for ``:``. Of two folders a split's own, as ``split_folders`` names it, comes
    first; that of another split is never looked into. A file that two items would have is
    neither's. An item without a file gets the path where it should lie. Each folder is listed
    once and no file is opened.
    """
    named = split_folders or {}
    folder = folder.absolute()
    existing = [one for one in dict.fromkeys(media_folders(folder, media)) if one.is_dir()]
    listings: dict[tuple[Path, Modality], dict[str, str]] = {}
    indexes: dict[tuple[Split, Modality], _Index] = {}
    found: list[Path | None] = []
    for one in wanted:
        key = (one.item.split, one.item.modality)
        if key not in indexes:
            theirs = _of_split(existing, folder, named, key[0])
            indexes[key] = _index(theirs, key[1], listings)
        found.append(indexes[key].find(one.stems))
    claims = Counter(path for path in found if path is not None)
    placed = []
    for one, path in zip(wanted, found, strict=True):
        if path is None:
            expected = indexes[one.item.split, one.item.modality].folder or folder
            path = expected / one.item.path.name
        elif claims[path] > 1:
            path = folder / named.get(one.item.split, "") / one.item.path.name
        placed.append(replace(one.item, path=path))
    return tuple(placed), _note(claims)


def _note(claims: Counter[Path]) -> tuple[str, ...]:
    shared = [path for path, times in claims.items() if times > 1]
    if not shared:
        return ()
    return (
        f"Files that could each be of several items, and are used for none: {len(shared):,}, "
        f"e.g. {shared[0].name}.",
    )


def _of_split(
    folders: Sequence[Path], root: Path, named: Mapping[Split, str], split: Split
) -> list[Path]:
    """The folders that may hold a split's files: its own first, none of another split."""
    own = named.get(split)
    others = set(named.values()) - {own}
    parts = {one: one.relative_to(root).parts for one in folders}
    return sorted(
        (one for one in folders if others.isdisjoint(parts[one])),
        key=lambda one: own not in parts[one],
    )


@dataclass(frozen=True)
class _Index:
    """The media files of some folders by every form of their stems.

    folder  the first of them that holds any
    """

    folder: Path | None
    paths: Mapping[str, Path]

    def find(self, stems: Sequence[str]) -> Path | None:
        keys = (key for stem in stems for key in _forms(stem))
        return next((self.paths[key] for key in keys if key in self.paths), None)


def _index(
    folders: Sequence[Path],
    modality: Modality,
    listings: dict[tuple[Path, Modality], dict[str, str]],
) -> _Index:
    for folder in folders:
        if (folder, modality) not in listings:
            listings[folder, modality] = _listing(folder, modality)
    paths: dict[str, Path] = {}
    for place in range(len(_forms(""))):
        for folder in folders:
            for stem, name in listings[folder, modality].items():
                paths.setdefault(_forms(stem)[place], folder / name)
    holding = next((folder for folder in folders if listings[folder, modality]), None)
    return _Index(holding or next(iter(folders), None), paths)


def _forms(stem: str) -> tuple[str, str, str]:
    """A stem in the forms that public copies give it, the nearest to the published one first."""
    normal = unicodedata.normalize("NFC", stem).strip()
    return stem, normal, normal.replace(":", "_")


def _listing(folder: Path, modality: Modality) -> dict[str, str]:
    """Stem -> file name; of two extensions the one that is named first is taken."""
    order = {extension: place for place, extension in enumerate(EXTENSIONS[modality])}
    names = [name for name in _names(folder) if Path(name).suffix.lower() in order]
    names.sort(key=lambda name: (order[Path(name).suffix.lower()], name), reverse=True)
    return {Path(name).stem: name for name in names}


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
    except OSError:
        return
