"""What a dataset is: items, captions and queries, in plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Modality = Literal["image", "audio", "video"]
IntArray = npt.NDArray[np.int64]
ByteArray = npt.NDArray[np.uint8]
SampleArray = npt.NDArray[np.float32]
SecondsArray = npt.NDArray[np.float64]

# Which captions count when an item asks for its text. "any caption": texts are ranked one by one
# and the first of the item's own counts. "caption set": the sets of all items are ranked, each by
# its best caption.
MediaToText = Literal["any caption", "caption set"]


class DatasetError(Exception):
    """A dataset that cannot be used as it stands; the message says what to do about it."""


@dataclass(frozen=True)
class Sound:
    """A decoded sound: ``samples`` [channels, samples] in -1 to 1, ``rate`` samples a second."""

    samples: SampleArray
    rate: int


@dataclass(frozen=True)
class Clip:
    """Decoded frames of a video: ``frames`` [frames, height, width, 3], RGB, and their times.

    ``seconds`` [frames] from the beginning of the video, ascending.
    """

    frames: ByteArray
    seconds: SecondsArray


@dataclass(frozen=True)
class Item:
    """One thing that can be retrieved.

    ``media`` is the file, decoded when it is needed, or what it holds: uint8 [height, width, 3]
    for an image, a Sound, a Clip. Two items are equal when id and modality are.
    """

    id: str
    modality: Modality
    media: Path | ByteArray | Sound | Clip = field(compare=False)


@dataclass(frozen=True)
class Query:
    """A text and the ids of the items that answer it."""

    id: str
    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    """Captions with the items that they describe: ``captions[i]`` is of ``items[rows[i]]``."""

    items: tuple[Item, ...]
    captions: tuple[str, ...]
    rows: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.captions) != len(self.rows):
            raise ValueError(f"{len(self.captions)} captions but {len(self.rows)} rows")
        if self.rows and not (min(self.rows) >= 0 and max(self.rows) < len(self.items)):
            raise ValueError("a caption points at an item that is not there")

    @staticmethod
    def empty() -> Pairs:
        return Pairs((), (), ())


@dataclass(frozen=True)
class Gap:
    """One media file that cannot be used, and why; ``missing`` where there is no such file."""

    item_id: str
    path: Path
    reason: str
    missing: bool = False


@dataclass(frozen=True)
class Dataset:
    """One dataset under one protocol.

    The human captions of the test items are in ``queries`` and nowhere else: a retriever is
    given ``train``, ``validation``, ``gallery``, ``distractors`` and the texts of the queries.

    protocol   the card's name for split and relevance rule; renamed when the gallery is partial
    digest     hash of every id, caption and media byte that decides a result
    synthetic  True for the procedural twins: never shown beside a published figure
    notes      sentences a reader of the results must see (gaps, duplicates, caps)
    distractors  items that are searched with the gallery and answer no query; they may be items
               to learn from, never test items
    folds      the fold of each gallery item where the protocol searches several galleries and
               takes the mean (COCO 1K: five); empty for one gallery
    media_to_text  the published rule of the reverse direction
    media_seen  False where no media file was looked for: results can be imported, not computed
    ceilings   "R@1", ...: what a reader without mistakes could reach where it is known of which
               items a text is true; empty elsewhere
    """

    name: str
    protocol: str
    modality: Modality
    train: Pairs
    validation: Pairs
    gallery: tuple[Item, ...]
    queries: tuple[Query, ...]
    digest: str
    synthetic: bool
    licence: str
    notes: tuple[str, ...] = ()
    folds: tuple[int, ...] = ()
    media_to_text: MediaToText = "any caption"
    media_seen: bool = True
    distractors: tuple[Item, ...] = ()
    ceilings: Mapping[str, float] = field(default_factory=dict)

    @property
    def searched(self) -> tuple[Item, ...]:
        """All that a gallery holds: the test items and the distractors."""
        return (*self.gallery, *self.distractors)

    def __post_init__(self) -> None:
        if self.folds and len(self.folds) != len(self.gallery):
            raise DatasetError(
                f"{self.name}: {len(self.folds)} folds for {len(self.gallery)} items"
            )
        test = {item.id for item in self.gallery}
        if len(test) != len(self.gallery):
            raise DatasetError(f"{self.name}: the gallery holds an id twice")
        self._refuse_distractors(test)
        for part, pairs in (("train", self.train), ("validation", self.validation)):
            shared = test.intersection(item.id for item in pairs.items)
            if shared:
                raise DatasetError(
                    f"{self.name}: {len(shared)} test items are also in {part}, "
                    f"e.g. {sorted(shared)[0]!r}"
                )
        for query in self.queries:
            if not query.relevant or not test.issuperset(query.relevant):
                raise DatasetError(f"{self.name}: query {query.id!r} has no answer in the gallery")

    def _refuse_distractors(self, test: set[str]) -> None:
        others = {item.id for item in self.distractors}
        if len(others) != len(self.distractors):
            raise DatasetError(f"{self.name}: the distractors hold an id twice")
        if shared := sorted(others & test):
            raise DatasetError(f"{self.name}: the test item {shared[0]!r} is also a distractor")
        if others and self.folds:
            raise DatasetError(
                f"{self.name}: a gallery in {len(set(self.folds))} folds has no distractors"
            )
