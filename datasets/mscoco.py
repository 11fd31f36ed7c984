"""MS-COCO: the Karpathy split where a form of it is found, else an official split.

The Karpathy split is read from the first of these that is found:

    dataset_coco.json                       Karpathy's own file
    coco_karpathy_{train,val,test}.json     LAVIS and BLIP

An official split has two files, ``captions_train*.json`` and ``captions_val*.json``: its val is
the gallery and the validation split is drawn out of its train.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from datasets.annotation_forms import (
    Form,
    Items,
    Notes,
    file_a_split,
    karpathy_copy,
    karpathy_file,
    missing_split,
    preferred,
)
from datasets.annotations import Annotated, AnnotatedItem, Split, own_protocol
from datasets.base import DatasetError
from datasets.drawn_validation import SEED, draw_validation
from datasets.files import ANNOTATION_FOLDERS, find_file, place
from datasets.layouts import coco_captions, lavis
from datasets.protocol_card import Protocol, ProtocolCard

KARPATHY = "dataset_coco.json"
VALIDATION_ITEMS = 5000
MOST_CAPTIONS = 5
_TEST, _TRAIN = "captions_val", "captions_train"


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The annotation file that names the test split, None where there is none."""
    found = _find(folder, card)
    return found[1].test if found else None


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened.

    An official file of no year that the card knows has a protocol of its own.
    """
    found = _find(folder, card)
    if found is None:
        raise DatasetError(f"{folder} holds no {card.wanted}, nor another {_TEST}*.json")
    protocol, form = found
    items, notes = form.read()
    protocol = protocol or own_protocol(_part(form.test), items, MOST_CAPTIONS)
    return Annotated(protocol, place(items, folder, card.media), notes)


def _find(folder: Path, card: ProtocolCard) -> tuple[Protocol | None, Form] | None:
    for protocol in card.protocols:
        form = preferred(_karpathy(folder)) if KARPATHY in protocol.annotations else None
        if form is not None:
            return protocol, form
    official = list(_officials(folder, card))
    return next((one for one in official if one[1].trains), next(iter(official), None))


def _karpathy(folder: Path) -> Iterator[Form | None]:
    yield karpathy_file(folder, KARPATHY)
    yield file_a_split(folder, "coco_karpathy_{}.json", lavis.parse)
    yield karpathy_copy(folder, KARPATHY)


def _officials(folder: Path, card: ProtocolCard) -> Iterator[tuple[Protocol | None, Form]]:
    """The official splits of the years that the card knows, then any other."""
    known = {
        protocol.annotations[0]: protocol
        for protocol in card.protocols
        if protocol.annotations[0].startswith(_TEST)
    }
    # A variant that the user named leaves one protocol, and no other will do.
    others = _other_years(folder) - known.keys() if len(card.protocols) > 1 else set()
    for name in (*known, *sorted(others)):
        test = find_file(folder, name)
        if test is not None:
            train = find_file(folder, name.replace(_TEST, _TRAIN))
            read = partial(_read_official, test, train)
            yield known.get(name), Form(test, train is not None, read)


def _other_years(folder: Path) -> set[str]:
    return {
        path.name
        for inner in ANNOTATION_FOLDERS
        for path in (folder / inner).glob(f"{_TEST}*.json")
    }


def _read_official(test: Path, train: Path | None) -> tuple[Items, Notes]:
    items = _parse(test, "test")
    if train is None:
        expected = test.name.replace(_TEST, _TRAIN)
        return items, (missing_split(expected, test.name, "train"),)
    learned, drawn = draw_validation(_parse(train, "train"), VALIDATION_ITEMS)
    note = (
        f"The gallery is {test.name}; {drawn:,} items of {train.name} were drawn for validation "
        f"with seed {SEED}."
    )
    return learned + items, (note,)


def _parse(path: Path, split: Split) -> tuple[AnnotatedItem, ...]:
    """The items of an official file, whose photos lie in the folder that its name gives."""
    return tuple(
        replace(item, path=Path(_part(path)) / item.path)
        for item in coco_captions.parse(path, split)
    )


def _part(path: Path) -> str:
    """``val2017`` for ``captions_val2017.json``."""
    return path.stem.removeprefix("captions_")
