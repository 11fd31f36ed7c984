"""Datasets by name. A loader is imported when its dataset is asked for."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from datasets import manifest, protocol_card
from datasets.annotations import Annotated
from datasets.assemble import Labels, assemble
from datasets.base import Dataset, DatasetError, Modality
from datasets.files import has_media
from datasets.protocol_card import ProtocolCard
from datasets.twins import twin_folder


class UnknownDataset(DatasetError):
    """A name that no dataset has; the message names those that are near."""


class Loader(Protocol):
    """What a loader module offers."""

    def find(self, folder: Path, card: ProtocolCard) -> Path | None:
        """The annotation file in a folder, None where there is none."""
        ...

    def read(self, folder: Path, card: ProtocolCard) -> Annotated:
        """The annotations in a folder; no media file is opened."""
        ...


@dataclass(frozen=True)
class Entry:
    """A registered dataset.

    loader  module that meets Loader
    twin    name of the procedural twin that stands in for it, if it has one
    maker   module that draws it, if it is a twin itself
    """

    name: str
    loader: str
    summary: str
    modality: Modality
    twin: str | None = None
    maker: str | None = None

    @property
    def synthetic(self) -> bool:
        return self.maker is not None


@dataclass(frozen=True)
class Location:
    """Where a dataset's files were found, or a sentence on what is missing and how to get it."""

    folder: Path | None
    sentence: str


@dataclass(frozen=True)
class Choice:
    """What is run for a real dataset: ``loads`` is its own name, its twin's, or None."""

    dataset: str
    loads: str | None
    reason: str


_ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "flickr30k",
            "datasets.flickr30k",
            "31,014 photos with five captions each, Karpathy split",
            "image",
            twin="flickr30k-mini",
        ),
        Entry(
            "flickr30k-mini",
            "datasets.flickr30k",
            "drawn scenes with five captions each, in Flickr30K's layout; synthetic",
            "image",
            maker="datasets.flickr30k_mini",
        ),
        Entry(
            "mscoco",
            "datasets.mscoco",
            "123,287 photos with five captions each, Karpathy or official split",
            "image",
        ),
    )
}


def names() -> tuple[str, ...]:
    """The names of all datasets, in alphabetical order."""
    return tuple(sorted(_ENTRIES))


def entry(name: str) -> Entry:
    """The entry of a dataset. Raises UnknownDataset, naming those that are near."""
    if name in _ENTRIES:
        return _ENTRIES[name]
    near = difflib.get_close_matches(name.lower(), names(), n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UnknownDataset(f"There is no dataset {name!r}. {hint}Known: {', '.join(names())}.")


def card(name: str) -> ProtocolCard:
    """The protocol card of a dataset. Raises UnknownDataset."""
    return protocol_card.read(entry(name).name)


def locate(name: str, root: Path | None) -> Location:
    """Where the files of a real dataset lie: under ``root/<name>`` or in ``root`` itself.

    The annotation file must be there and at least one media file; a missing one among them is
    found when the dataset is loaded. A twin is drawn and needs no place. Raises UnknownDataset.
    """
    known = entry(name)
    if known.synthetic:
        return Location(None, f"{name} is drawn on first use.")
    about = card(name)
    if root is None:
        return Location(
            None,
            f"{name} needs a data folder: give --data-root or set RETRIEVAL_DATA. {about.source}",
        )
    loader = _loader(known)
    tried = [root / folder for folder in about.folders] + [root]
    without_media: list[str] = []
    for folder in tried:
        annotations = loader.find(folder, about)
        if annotations is None:
            continue
        if has_media(folder, about.media):
            return Location(folder, f"{name} was found in {folder} ({annotations.name}).")
        places = ", ".join(str(folder / one) for one in about.media)
        without_media.append(
            f"{annotations} was found, but no media file in {places} or {folder} itself."
        )
    if without_media:
        return Location(None, f"{name}: {' '.join(without_media)} {about.source}")
    files = " or ".join(protocol.annotations[0] for protocol in about.protocols)
    return Location(
        None,
        f"{name} was not found: no {files} in {', '.join(map(str, tried))}. {about.source}",
    )


def load(
    name: str,
    *,
    root: Path | None,
    cache: Path,
    skip_bad: bool = False,
    workers: int | None = None,
) -> Dataset:
    """Load a dataset by name, every media file verified.

    root      data folder of the real datasets; a twin is drawn under ``cache`` instead
    skip_bad  leave out items whose file is missing or damaged, and rename the protocol
    workers   decoding threads; one a processor by default

    Raises UnknownDataset, and DatasetError when its files are not there or cannot be used.
    """
    known = entry(name)
    about = card(name)
    if known.maker is not None:
        folder = twin_folder(name, known.maker, cache=cache)
    else:
        place = locate(name, root)
        if place.folder is None:
            raise DatasetError(place.sentence)
        folder = place.folder
    labels = Labels(
        name, about.modality, about.synthetic, about.licence, about.max_captions_per_item
    )
    annotated = _loader(known).read(folder, about)
    return assemble(annotated, labels, cache=cache, skip_bad=skip_bad, workers=workers)


def load_manifest(
    path: Path, *, cache: Path, skip_bad: bool = False, workers: int | None = None
) -> Dataset:
    """Load a user's own data (see ``datasets.manifest``); it is named after the file.

    Raises DatasetError, naming the line or the media files that cannot be used.
    """
    labels = Labels(path.stem, "image", False, "the owner's; the manifest states none")
    annotated = manifest.parse(path)
    return assemble(annotated, labels, cache=cache, skip_bad=skip_bad, workers=workers)


def choose_all(root: Path | None, cache: Path) -> list[Choice]:
    """For every real dataset: itself where it is found, else its twin, else why it is left out.

    ``cache`` is where a twin will be drawn; nothing is drawn here.
    """
    return [_choose(known, root, cache) for known in _ENTRIES.values() if not known.synthetic]


def _choose(known: Entry, root: Path | None, cache: Path) -> Choice:
    place = locate(known.name, root)
    if place.folder is not None:
        return Choice(known.name, known.name, place.sentence)
    if known.twin is not None:
        stand_in = f"Its synthetic twin {known.twin}, drawn under {cache / 'twins'}, stands in."
        return Choice(known.name, known.twin, f"{stand_in} {place.sentence}")
    return Choice(known.name, None, f"Left out. {place.sentence}")


def _loader(known: Entry) -> Loader:
    return cast(Loader, importlib.import_module(known.loader))
