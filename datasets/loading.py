"""Find and load a dataset by its registered name, or the user's own by its manifest."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from datasets import manifest, registry
from datasets.annotations import Annotated, own_protocol
from datasets.assemble import Labels, assemble
from datasets.base import Dataset, DatasetError
from datasets.files import has_media
from datasets.protocol_card import ProtocolCard
from datasets.registry import Entry
from datasets.twins.drawn import twin_folder


class Loader(Protocol):
    """What a loader module offers.

    The card holds the protocols to look for, in order of preference: all of the dataset's, or
    the one whose variant the user named.
    """

    def find(self, folder: Path, card: ProtocolCard) -> Path | None:
        """The annotation file of the test split in a folder, None where there is none."""
        ...

    def read(self, folder: Path, card: ProtocolCard) -> Annotated:
        """The annotations in a folder, each item with the path where its file is or should be.

        Raises DatasetError. No media file is opened.
        """
        ...


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


def locate(name: str, root: Path | None) -> Location:
    """Where the files of a dataset lie: under ``root/<name>`` or in ``root`` itself.

    The annotation file must be there and at least one media file; a missing one among them is
    found when the dataset is loaded. A twin is drawn where it is not found. Raises
    UnknownDataset, and DatasetError for an unknown variant.
    """
    known = registry.entry(name)
    about = registry.card(name)
    if known.synthetic and root is None:
        return Location(None, f"{name} is drawn on first use.")
    if root is None:
        return Location(
            None,
            f"{name} needs a data folder: give --data-root or set RETRIEVAL_DATA. {about.source}",
        )
    without_media: list[str] = []
    for folder, path in annotated_folders(known, about, root):
        if has_media(folder, about.media):
            return Location(folder, f"{name} was found in {folder} ({path.name}).")
        where = ", ".join(str(folder / one) for one in about.media)
        without_media.append(f"{path} was found, but no media file in {where} or {folder} itself.")
    if without_media:
        return Location(None, f"{name}: {' '.join(without_media)} {about.source}")
    if known.synthetic:
        return Location(None, f"{name} is drawn on first use.")
    return Location(None, f"{name} was not found: {missing_annotations(known, about, root)}")


def missing_annotations(known: Entry, about: ProtocolCard, root: Path) -> str:
    """A sentence on the annotation files that were looked for, where, and how to get them."""
    tried = ", ".join(map(str, places(known, about, root)))
    return f"no {about.wanted} in {tried}. {about.source}"


def annotated_folders(known: Entry, about: ProtocolCard, root: Path) -> Iterator[tuple[Path, Path]]:
    """Each folder that holds annotations, with the annotation file of the test split."""
    loader = loader_of(known)
    for folder in places(known, about, root):
        path = loader.find(folder, about)
        if path is not None:
            yield folder, path


def places(known: Entry, about: ProtocolCard, root: Path) -> list[Path]:
    """The folders where a dataset is looked for, a twin only in a folder of its own name."""
    if known.synthetic:
        return [root / known.name]
    return [root / folder for folder in about.folders] + [root]


def load(
    name: str,
    *,
    root: Path | None,
    cache: Path,
    skip_bad: bool = False,
    workers: int | None = None,
) -> Dataset:
    """Load a dataset by name, every media file verified.

    root      data folder of the real datasets, and of twins made to be kept; any other twin is
              drawn under ``cache``
    skip_bad  leave out items whose file is missing or damaged, and rename the protocol
    workers   decoding threads; one a processor by default

    Raises UnknownDataset, and DatasetError when its files are not there or cannot be used.
    """
    known = registry.entry(name)
    about = registry.card(name)
    place = locate(name, root)
    if place.folder is not None:
        annotated = read_found(name, place.folder)
    elif known.maker is not None:
        folder = twin_folder(known.name, known.maker, cache=cache)
        annotated = loader_of(known).read(folder, about)
    else:
        raise DatasetError(place.sentence)
    return assemble(annotated, labels_of(about), cache=cache, skip_bad=skip_bad, workers=workers)


def read_found(name: str, folder: Path) -> Annotated:
    """The annotations of a dataset in a folder of the user's; no media file is opened.

    A twin there may have any size: its protocol is named after its own gallery. Raises
    DatasetError.
    """
    known = registry.entry(name)
    annotated = loader_of(known).read(folder, registry.card(name))
    return _of_any_size(annotated) if known.synthetic else annotated


def load_manifest(
    path: Path, *, cache: Path, skip_bad: bool = False, workers: int | None = None
) -> Dataset:
    """Load a user's own data (see ``datasets.manifest``); it is named after the file.

    Raises DatasetError, naming the line or the media files that cannot be used.
    """
    annotated = manifest.parse(path)
    labels = manifest_labels(path, annotated)
    return assemble(annotated, labels, cache=cache, skip_bad=skip_bad, workers=workers)


def choose_all(root: Path | None, cache: Path) -> list[Choice]:
    """For every real dataset: itself where it is found, else its twin, else why it is left out.

    ``cache`` is where a twin will be drawn; nothing is drawn here.
    """
    known = (registry.entry(name) for name in registry.names())
    return [_choose(one, root, cache) for one in known if not one.synthetic]


def loader_of(known: Entry) -> Loader:
    """The loader module of a dataset, imported now."""
    return cast(Loader, importlib.import_module(known.loader))


def manifest_labels(path: Path, annotated: Annotated) -> Labels:
    """The labels of a user's own data, named after its manifest."""
    modality = annotated.items[0].modality
    return Labels(path.stem, modality, False, "the owner's; the manifest states none")


def labels_of(about: ProtocolCard) -> Labels:
    """The labels that a card gives its dataset."""
    return Labels(
        about.name,
        about.modality,
        about.synthetic,
        about.licence,
        about.media_to_text,
        about.missing_media == "dropped",
    )


def _of_any_size(annotated: Annotated) -> Annotated:
    cap = annotated.protocol.max_captions_per_item
    gallery = sum(item.split == "test" for item in annotated.items)
    protocol = own_protocol(f"mini-{gallery}", annotated.items, cap)
    return replace(annotated, protocol=protocol)


def _choose(known: Entry, root: Path | None, cache: Path) -> Choice:
    place = locate(known.name, root)
    if place.folder is not None:
        return Choice(known.name, known.name, place.sentence)
    if known.twin is not None:
        stand_in = f"Its synthetic twin {known.twin}, drawn under {cache / 'twins'}, stands in."
        return Choice(known.name, known.twin, f"{stand_in} {place.sentence}")
    return Choice(known.name, None, f"Left out. {place.sentence}")
