"""What an annotation file says, before any media file is opened."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from datasets.base import DatasetError, Modality
from datasets.protocol_card import SPLITS, Counts, Protocol

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Caption:
    """One human caption; ``text`` is cleaned and may be empty in a published file."""

    id: str
    text: str


@dataclass(frozen=True)
class AnnotatedItem:
    """One item as an annotation file lists it.

    ``path`` is relative as a parser reads it, and where the file should lie once a loader has
    placed it. ``captions`` keep the order of the file.
    """

    id: str
    split: Split
    path: Path
    captions: tuple[Caption, ...]
    modality: Modality = "image"


@dataclass(frozen=True)
class Annotated:
    """Everything a loader knows of a dataset; ``notes`` are sentences for the reader."""

    protocol: Protocol
    items: tuple[AnnotatedItem, ...]
    notes: tuple[str, ...] = ()


def usable(item: AnnotatedItem, cap: int | None) -> AnnotatedItem:
    """The item with the captions that are used: none empty, a test item's first ``cap``."""
    captions = tuple(caption for caption in item.captions if caption.text)
    return replace(item, captions=captions[:cap] if item.split == "test" else captions)


def count(items: Sequence[AnnotatedItem], cap: int | None) -> dict[str, Counts]:
    """What each split holds; the test split's queries are the usable captions."""
    counts = {}
    for split in SPLITS:
        part = [item for item in items if item.split == split]
        counts[split] = Counts(
            items=len(part),
            captions=sum(len(item.captions) for item in part),
            queries=sum(len(usable(item, cap).captions) for item in part)
            if split == "test"
            else None,
        )
    return counts


def own_protocol(name: str, items: Sequence[AnnotatedItem], cap: int | None) -> Protocol:
    """A protocol for a split that no card describes: whole when all its items are readable."""
    return Protocol(name=name, family=name, splits=count(items, cap), max_captions_per_item=cap)


def clean_text(text: str, where: str) -> str:
    """The text in Unicode NFC without outer white space.

    Raises DatasetError, naming ``where``, for a NUL character or half a surrogate pair:
    neither can be stored or tokenised faithfully.
    """
    if "\0" in text:
        raise DatasetError(f"{where}: the text holds a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{where}: the text holds half of a surrogate pair at character {error.start + 1}; "
            "write the whole character"
        ) from error
    return unicodedata.normalize("NFC", text).strip()


def contained_path(text: str, where: str) -> PurePosixPath:
    """A relative path that cannot leave the folder it is joined to.

    Annotation files are fetched from elsewhere, so their paths are not trusted. Raises
    DatasetError for an absolute path, a parent step, a drive, a backslash or a NUL.
    """
    path = PurePosixPath(text)
    leaves = path.is_absolute() or ".." in path.parts or PureWindowsPath(text).drive
    if not path.parts or leaves or set(text) & set("\\\0"):
        raise DatasetError(
            f"{where}: {text!r} is not a path inside the data folder; "
            "the annotation file is damaged or not to be trusted"
        )
    return path
