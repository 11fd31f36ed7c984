"""Datasets whose gallery holds more than the test items: distractors, or the whole corpus.

Queries and their answers stay as they are. Protocol and digest change with what is searched, so
that no result is taken for one of another gallery.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from datasets import loading, registry
from datasets.base import Dataset, DatasetError, Item
from datasets.manifest import parse
from datasets.registry import Entry
from datasets.seeded_split import drawn_order
from datasets.twins import distractors as twins
from datasets.twins.drawn import Size, default_size, recorded
from datasets.twins.further_items import words_of
from datasets.verify import verify

FULL: Literal["full"] = "full"
ORDER_SEED = 0
GallerySize = int | Literal["full"]
REVERSE = (
    "Media that ask for their text are the test items alone, and rank the texts that they would "
    "rank without the others."
)
_GROWN = re.compile(r" (?:in (?P<size>[\d,]+)(?: with (?P<others>.+))?|(?P<full>full corpus))$")


@dataclass(frozen=True)
class GrownProtocol:
    """What the name of a protocol says of its gallery.

    base    the protocol of the test items alone
    others  what the gallery was filled with: "" where it was not, or with further items of a
            twin's generator, FULL for the whole corpus, else the name of a manifest
    """

    base: str
    others: str = ""


def read_protocol(name: str) -> GrownProtocol:
    """The parts of a protocol's name."""
    found = _GROWN.search(name)
    if found is None:
        return GrownProtocol(name)
    return GrownProtocol(name[: found.start()], FULL if found["full"] else found["others"] or "")


def full_corpus(dataset: Dataset) -> Dataset:
    """All items to learn from are searched with the test items.

    Raises DatasetError where there are none, or where the gallery is dealt into folds.
    """
    _refuse_folds(dataset)
    learned = (*dataset.train.items, *dataset.validation.items)
    if not learned:
        raise DatasetError(f"{dataset.name} has no items to learn from: its test items are all.")
    note = (
        f"Full corpus: the gallery is the {len(dataset.gallery):,} test items with the "
        f"{len(learned):,} training and validation items, which answer no query. What retrievers "
        "learned of those, human captions included, draws their answers there."
    )
    # The digest covers the content of these items already.
    grown = _with(dataset, learned, "full corpus", [[item.id, ""] for item in learned])
    return replace(grown, notes=(*dataset.notes, note, REVERSE))


def filled_from_twin(
    dataset: Dataset, size: int, *, root: Path | None, cache: Path, workers: int | None = None
) -> Dataset:
    """A twin's gallery filled up with further items of its generator, drawn where they lack.

    root  the data folder that the twin may have been found in

    Raises DatasetError for a size below the gallery's own, and for a twin made to be kept of
    which it is not recorded what it was drawn with.
    """
    twin = registry.entry(dataset.name)
    wanted = _wanted(dataset, size)
    drawn_with = _drawn_with(twin, root)
    found = twins.distractors(twin, drawn_with, wanted, cache=cache, workers=workers)
    rivals = [found.true_of.get(words_of(query.text)) for query in dataset.queries]
    known = [each for each in rivals if each is not None]
    if len(known) < len(rivals):
        raise DatasetError(
            f"{len(rivals) - len(known):,} of the {len(rivals):,} texts of {dataset.name} are not "
            "those that its generator writes now. Have the twin made again."
        )
    ceilings = _ceilings(np.array(known))
    if not wanted:
        return replace(dataset, ceilings=ceilings)
    content = _contents(found.items, dataset.name, cache, workers)
    grown = _with(
        dataset, found.items, f"in {size:,}", [[item.id, content[item.id]] for item in found.items]
    )
    notes = (
        f"The gallery is filled up with {wanted:,} further items of the generator, which answer "
        f"no query; {found.refused:,} were passed over, of each of which all captions of some "
        "test item were true.",
        f"A text tells part of an item, and is true of {np.mean(known):.2f} other items of this "
        "gallery on average: a reader without mistakes, who must choose among those, would reach "
        f"R@1 {100 * ceilings['R@1']:.1f} and R@10 {100 * ceilings['R@10']:.1f}.",
        REVERSE,
    )
    return replace(grown, ceilings=ceilings, notes=(*dataset.notes, *notes))


def filled_from_manifest(
    dataset: Dataset, size: int, manifest: Path, *, cache: Path, workers: int | None = None
) -> Dataset:
    """A gallery filled up with items of a manifest, whose captions and splits are not looked at.

    They are taken in an order drawn with seed 0. A file whose bytes are those of a file of the
    dataset is passed over. Raises DatasetError where they are too few, of another modality, or
    cannot be read.
    """
    wanted = _wanted(dataset, size)
    if not wanted:
        return dataset
    offered = parse(manifest).items
    if offered[0].modality != dataset.modality:
        raise DatasetError(
            f"{manifest} lists {offered[0].modality}, and {dataset.name} is of {dataset.modality}."
        )
    by_id = {one.id: one for one in offered}
    items = [
        Item(f"{manifest.stem}/{name}", dataset.modality, by_id[name].path)
        for name in drawn_order(by_id, ORDER_SEED)
    ]
    content = _contents(items, manifest.stem, cache, workers)
    own = (*dataset.gallery, *dataset.train.items, *dataset.validation.items)
    there = set(verify(own, cache=cache, workers=workers, label=dataset.name).digests.values())
    fresh: dict[str, Item] = {}
    for item in items:
        if content[item.id] not in there:
            fresh.setdefault(content[item.id], item)
    if len(fresh) < wanted:
        raise DatasetError(
            f"{manifest} offers {len(fresh):,} files that differ from each other and from those of "
            f"{dataset.name}; a gallery of {size:,} needs {wanted:,} beside the "
            f"{len(dataset.gallery):,} test items."
        )
    taken = tuple(fresh.values())[:wanted]
    rows = [[item.id, content[item.id]] for item in taken]
    grown = _with(dataset, taken, f"in {size:,} with {manifest.stem}", rows)
    note = (
        f"The gallery is filled up with {wanted:,} items of {manifest.name}, drawn with seed "
        f"{ORDER_SEED}, which answer no query; whether a text is true of one of them is not known."
    )
    return replace(grown, notes=(*dataset.notes, note, REVERSE))


def drawing_ahead(
    name: str, size: int, *, root: Path | None, cache: Path, workers: int | None
) -> tuple[int, float]:
    """How many further items of a twin are to be drawn for a size, and an estimate in seconds.

    Raises DatasetError as ``filled_from_twin``.
    """
    twin = registry.entry(name)
    drawn_with = _drawn_with(twin, root)
    wanted = max(0, size - twins.test_items(twin, drawn_with))
    places = twins.undrawn(twin, drawn_with, wanted, cache=cache)
    if not places:
        return 0, 0.0
    return places, twins.seconds_to_draw(twin, drawn_with, places, workers=workers)


def _drawn_with(twin: Entry, root: Path | None) -> Size:
    if twin.maker is None:
        raise DatasetError(
            f"{twin.name} is a real dataset, so there are no further items to draw. Search its "
            f"whole corpus with --gallery {FULL}, fill the gallery with --distractors MANIFEST, or "
            f"take its twin {twin.twin}."
        )
    folder = loading.locate(twin.name, root).folder
    if folder is None:
        return default_size(twin.maker)
    drawn_with = recorded(folder)
    if drawn_with is None:
        raise DatasetError(
            f"{folder} does not record what it was drawn with, so that no further items can be "
            "drawn that are not among its own. Make it again with python -m datasets make."
        )
    return drawn_with


def _wanted(dataset: Dataset, size: int) -> int:
    """How many distractors a size needs. Raises DatasetError for a size below the gallery's."""
    _refuse_folds(dataset)
    if size < len(dataset.gallery):
        raise DatasetError(
            f"A gallery of {size:,} cannot hold the {len(dataset.gallery):,} test items of "
            f"{dataset.name}. Give {len(dataset.gallery):,} or more."
        )
    return size - len(dataset.gallery)


def _refuse_folds(dataset: Dataset) -> None:
    if dataset.folds:
        raise DatasetError(
            f"{dataset.name} ({dataset.protocol}) is the mean of galleries that are searched in "
            "turn; a larger gallery needs a protocol with a single one, as mscoco:5k."
        )


def _contents(
    items: Sequence[Item], label: str, cache: Path, workers: int | None
) -> Mapping[str, str]:
    verified = verify(items, cache=cache, workers=workers, label=f"distractors of {label}")
    if verified.gaps:
        first = verified.gaps[0]
        raise DatasetError(
            f"{len(verified.gaps):,} of {len(items):,} distractors cannot be used, the first: "
            f"{first.path} {first.reason}."
        )
    return verified.digests


def _with(
    dataset: Dataset, items: Sequence[Item], suffix: str, rows: Iterable[Sequence[str]]
) -> Dataset:
    """rows  id and content of each distractor, which the digest tells"""
    state = hashlib.blake2b(dataset.digest.encode(), digest_size=16)
    for row in rows:
        state.update(json.dumps(row, ensure_ascii=True).encode() + b"\n")
    return replace(
        dataset,
        protocol=f"{dataset.protocol} {suffix}",
        digest=state.hexdigest(),
        distractors=tuple(items),
    )


def _ceilings(rivals: np.ndarray) -> Mapping[str, float]:
    """Recall of a random order of the items that each text is true of, before all others.

    rivals  [queries] items that a text is true of beside the right one
    """
    return {f"R@{k}": float(np.minimum(1.0, k / (1 + rivals)).mean()) for k in (1, 10)}
