"""MS-COCO: the Karpathy split where its file is found, else an official split.

An official split has two files, ``captions_train*.json`` and ``captions_val*.json``: its val is
the gallery and the validation split is drawn out of its train.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.annotations import Annotated, AnnotatedItem, Split, own_protocol
from datasets.base import DatasetError
from datasets.files import find_file, place
from datasets.layouts import coco_captions, karpathy
from datasets.protocol_card import Protocol, ProtocolCard
from datasets.seeded_split import drawn_order

VALIDATION_ITEMS = 5000
MOST_CAPTIONS = 5
SPLIT_SEED = 0
_TEST, _TRAIN = "captions_val", "captions_train"


@dataclass(frozen=True)
class _Official:
    """The two files of an official split; its protocol where the card knows it."""

    test: Path
    train: Path | None
    protocol: Protocol | None


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The annotation file that names the test split, None where there is none."""
    path = find_file(folder, card.protocols[0].annotations[0])
    if path is not None:
        return path
    official = _official(folder, card)
    return official.test if official else None


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    path = find_file(folder, card.protocols[0].annotations[0])
    if path is not None:
        return Annotated(card.protocols[0], place(karpathy.parse(path), folder, card.media))
    official = _official(folder, card)
    if official is None:
        wanted = ", ".join(protocol.annotations[0] for protocol in card.protocols)
        raise DatasetError(f"{folder} holds none of {wanted}, nor another {_TEST}*.json")
    return _read_official(official, folder, card)


def _read_official(official: _Official, folder: Path, card: ProtocolCard) -> Annotated:
    items = _parse(official.test, "test")
    if official.train is None:
        expected = official.test.name.replace(_TEST, _TRAIN)
        note = (
            f"{expected} was not found beside {official.test.name}: there is nothing to train on."
        )
    else:
        learned, drawn = _draw_validation(_parse(official.train, "train"))
        items = learned + items
        note = (
            f"The gallery is {official.test.name}; {drawn:,} items of {official.train.name} were "
            f"drawn for validation with seed {SPLIT_SEED}."
        )
    protocol = official.protocol or own_protocol(_part(official.test), items, MOST_CAPTIONS)
    return Annotated(protocol, place(items, folder, card.media), (note,))


def _parse(path: Path, split: Split) -> tuple[AnnotatedItem, ...]:
    """The items of an official file, whose photos lie in the folder that its name gives."""
    return tuple(
        replace(item, path=Path(_part(path)) / item.path)
        for item in coco_captions.parse(path, split)
    )


def _part(path: Path) -> str:
    """``val2017`` for ``captions_val2017.json``."""
    return path.stem.removeprefix("captions_")


def _draw_validation(
    items: tuple[AnnotatedItem, ...],
) -> tuple[tuple[AnnotatedItem, ...], int]:
    """5,000 items, as Karpathy's split has, or a tenth of a smaller file."""
    size = min(VALIDATION_ITEMS, len(items) // 10)
    chosen = set(drawn_order((item.id for item in items), SPLIT_SEED)[:size])
    return tuple(
        replace(item, split="validation") if item.id in chosen else item for item in items
    ), size


def _official(folder: Path, card: ProtocolCard) -> _Official | None:
    """A split with both files before one without train, then the order of the card."""
    found = list(_officials(folder, card))
    whole = [official for official in found if official.train is not None]
    return next(iter(whole or found), None)


def _officials(folder: Path, card: ProtocolCard) -> Iterator[_Official]:
    known = {protocol.annotations[0]: protocol for protocol in card.protocols[1:]}
    others = sorted(
        {
            path.name
            for place in (folder, folder / "annotations")
            for path in place.glob(f"{_TEST}*")
        }
        - known.keys()
    )
    for name in (*known, *(other for other in others if other.endswith(".json"))):
        test = find_file(folder, name)
        if test is not None:
            train = find_file(folder, name.replace(_TEST, _TRAIN))
            yield _Official(test, train, known.get(name))
