"""Clotho: ``clotho_captions_{development,validation,evaluation}.csv``, a folder of sounds a split.

The sounds of a split are read from ``development/`` and so on beside the tables, as the archives of
Zenodo unpack, or from ``clotho_audio_files/development/`` with the tables in ``clotho_csv_files/``,
as the package aac-datasets lays them out. ``clotho_metadata_*.csv`` beside the tables are counted
for their licences where they are found.

Versions 2 and 2.1 list the same sounds. Version 1 has fewer in development and no validation split,
so one is drawn out of development; which version a copy is, its counts tell.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from datasets.annotation_forms import missing_split
from datasets.annotations import Annotated, AnnotatedItem, Split
from datasets.base import DatasetError
from datasets.clip_files import Wanted, place_clips
from datasets.drawn_validation import SEED, draw_validation
from datasets.files import find_file
from datasets.layouts import clotho_csv
from datasets.protocol_card import ProtocolCard
from datasets.releases import fitting

SPLITS: dict[Split, str] = {
    "train": "development",
    "validation": "validation",
    "test": "evaluation",
}
VALIDATION_ITEMS = 1045
LICENCES_SHOWN = 8
_FOLDERS = (".", "clotho_csv_files", "annotations")


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The table of the evaluation split, None where there is none."""
    return find_file(folder, _table("test"), _FOLDERS)


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    test = find(folder, card)
    if test is None:
        raise DatasetError(f"{folder} holds no {_table('test')}. {card.source}")
    parts = {
        split: clotho_csv.parse(path, split, SPLITS[split])
        for split in SPLITS
        if (path := test.with_name(_table(split))).is_file()
    }
    items, notes = _whole(parts, test)
    wanted = [Wanted(item, (item.path.stem,)) for item in items]
    placed, placing = place_clips(wanted, folder, card.media, SPLITS)
    protocol = fitting(card.protocols, items)
    return Annotated(protocol, placed, (*notes, *_licences(test.parent), *placing))


def _table(split: Split) -> str:
    return f"clotho_captions_{SPLITS[split]}.csv"


def _whole(
    parts: dict[Split, tuple[AnnotatedItem, ...]], test: Path
) -> tuple[tuple[AnnotatedItem, ...], tuple[str, ...]]:
    learned = parts.get("train")
    if learned is None:
        note = missing_split(_table("train"), test.name, "train")
        return (*parts.get("validation", ()), *parts["test"]), (note,)
    if "validation" in parts:
        return (*learned, *parts["validation"], *parts["test"]), ()
    split, drawn = draw_validation(learned, VALIDATION_ITEMS)
    note = (
        f"There is no {_table('validation')}: {drawn:,} sounds of {_table('train')} were drawn "
        f"for validation with seed {SEED}."
    )
    return (*split, *parts["test"]), (note,)


def _licences(folder: Path) -> tuple[str, ...]:
    """A note on the licences that the metadata tables give, which nothing else depends on."""
    total: Counter[str] = Counter()
    try:
        for name in SPLITS.values():
            path = folder / f"clotho_metadata_{name}.csv"
            if path.is_file():
                total += clotho_csv.licences(path)
    except DatasetError as error:
        return (f"The licences of the single sounds were not counted: {error}.",)
    if not total:
        return ()
    counts = [f"{name or 'none stated'} {times:,}" for name, times in total.most_common()]
    if len(counts) > LICENCES_SHOWN:
        counts[LICENCES_SHOWN:] = [f"and {len(counts) - LICENCES_SHOWN:,} others"]
    return (f"Licences of the single sounds, by clotho_metadata_*.csv: {', '.join(counts)}.",)
