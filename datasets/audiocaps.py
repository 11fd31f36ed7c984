"""AudioCaps: ``train.csv``, ``val.csv`` and ``test.csv``, and ten seconds of sound an item.

The tables lie in the data folder itself, in ``dataset/`` and, for version 2, ``dataset2.0/`` as in
the authors' repository, or in ``csv_files_v1/`` and ``csv_files_v2/``. The sounds lie in
``train/``, ``val/`` and ``test/``, in ``audio/train/`` and so on, in ``audio/`` or beside the
tables. They are named ``{id}_{start}``, ``Y{id}``, ``Y{id}_{start}`` or ``{id}``, id being
YouTube's and start in seconds, with any extension of a sound.

A name without the start is only looked for where the tables have one start for the id: which part
of the video such a file holds could not be told otherwise.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from datasets.annotation_forms import WORDS, missing_split, refuse_repeats
from datasets.annotations import Annotated, AnnotatedItem, Split
from datasets.base import DatasetError
from datasets.clip_files import Wanted, place_clips
from datasets.files import find_file
from datasets.layouts import audiocaps_csv
from datasets.layouts.audiocaps_csv import Sound
from datasets.protocol_card import Protocol, ProtocolCard
from datasets.releases import fitting

_FOLDERS = (".", "dataset", "csv_files_v1", "annotations")
_FOLDERS_V2 = ("dataset2.0", "csv_files_v2", "v2", ".", "annotations")


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The table of the test split, None where there is none."""
    return next((path for one in card.protocols if (path := _test(folder, one))), None)


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    test = find(folder, card)
    if test is None:
        raise DatasetError(f"{folder} holds no test.csv. {card.source}")
    sounds: list[tuple[Split, Sound]] = []
    notes: list[str] = []
    for split, name in WORDS.items():
        path = test.with_name(f"{name}.csv")
        if path.is_file():
            sounds += [(split, sound) for sound in audiocaps_csv.parse(path)]
        else:
            notes.append(missing_split(path.name, test.name, split))
    starts = Counter(sound.youtube_id for _, sound in sounds)
    wanted = [
        Wanted(_item(sound, split), _stems(sound, starts[sound.youtube_id]))
        for split, sound in sounds
    ]
    placed, placing = place_clips(wanted, folder, card.media, WORDS)
    items = refuse_repeats(placed, test)
    releases = [one for one in card.protocols if _test(folder, one) == test]
    return Annotated(fitting(releases, items), items, (*notes, *placing))


def _test(folder: Path, protocol: Protocol) -> Path | None:
    within = _FOLDERS_V2 if protocol.variant == "v2" else _FOLDERS
    return find_file(folder, f"{WORDS['test']}.csv", within)


def _item(sound: Sound, split: Split) -> AnnotatedItem:
    return AnnotatedItem(sound.id, split, Path(f"{sound.id}.wav"), sound.captions, "audio")


def _stems(sound: Sound, starts: int) -> tuple[str, ...]:
    name = sound.youtube_id
    if starts > 1:
        return sound.id, f"Y{sound.id}"
    return sound.id, f"Y{name}", f"Y{sound.id}", name
