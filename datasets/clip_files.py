"""Find the files of sounds and videos, whose names and folders differ between public copies."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.annotations import AnnotatedItem, Split
from datasets.base import Modality
from datasets.files import media_folders
from datasets.media.files import EXTENSIONS
from datasets.protocol_card import SPLITS


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
    modalities = {one.item.modality for one in wanted}
    listings = {
        place: _listing(place, modalities)
        for place in media_folders(folder, media)
        if place.is_dir()
    }
    indexes = {
        split: _index(listings, _of_split(listings, folder, named, split)) for split in SPLITS
    }
    found = [indexes[one.item.split].find(one.stems) for one in wanted]
    claims = Counter(path for path in found if path is not None)

    def settled(item: AnnotatedItem, path: Path | None) -> Path:
        if path is None:
            return (indexes[item.split].folder or folder) / item.path.name
        if claims[path] > 1:
            return folder / named.get(item.split, "") / item.path.name
        return path

    placed = tuple(
        replace(one.item, path=settled(one.item, path))
        for one, path in zip(wanted, found, strict=True)
    )
    return placed, _note(claims)


def _note(claims: Counter[Path]) -> tuple[str, ...]:
    shared = [path for path, times in claims.items() if times > 1]
    if not shared:
        return ()
    return (
        f"Files that could each be of several items, and are used for none: {len(shared):,}, "
        f"e.g. {shared[0].name}.",
    )


def _of_split(
    folders: Iterable[Path], root: Path, named: Mapping[Split, str], split: str
) -> list[Path]:
    """The folders that may hold a split's files: its own first, none of another split."""
    own = {name for one, name in named.items() if one == split}
    others = set(named.values()) - own
    parts = {one: one.relative_to(root).parts for one in folders}
    fitting = [one for one in parts if others.isdisjoint(parts[one])]
    return sorted(fitting, key=lambda one: own.isdisjoint(parts[one]))


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


def _index(listings: Mapping[Path, Mapping[str, str]], folders: Sequence[Path]) -> _Index:
    paths: dict[str, Path] = {}
    for place in range(len(_forms(""))):
        for folder in folders:
            for stem, name in listings[folder].items():
                paths.setdefault(_forms(stem)[place], folder / name)
    holding = next((folder for folder in folders if listings[folder]), None)
    return _Index(holding or next(iter(folders), None), paths)


def _forms(stem: str) -> tuple[str, str, str]:
    """A stem in the forms that public copies give it, the nearest to the published one first."""
    normal = unicodedata.normalize("NFC", stem).strip()
    return stem, normal, normal.replace(":", "_")


def _listing(folder: Path, modalities: Iterable[Modality]) -> dict[str, str]:
    """Stem -> file name; of two extensions the one that is named first is taken."""
    known = (extension for one in modalities for extension in EXTENSIONS[one])
    order = {extension: place for place, extension in enumerate(known)}
    names = [name for name in _names(folder) if Path(name).suffix.lower() in order]
    names.sort(key=lambda name: (order[Path(name).suffix.lower()], name), reverse=True)
    return {Path(name).stem: name for name in names}


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
    except OSError:
        return
