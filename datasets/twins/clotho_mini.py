"""Writes the synthetic twin of Clotho: synthesised sounds in that dataset's own layout.

    folder/clotho_captions_<split>.csv   file_name,caption_1, ... caption_5
    folder/<split>/<name>.wav            sounds of six seconds, one to three events each

The splits are development, validation and evaluation. The bytes also depend on the versions of
NumPy and libsndfile.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from datasets.twins.parallel import make_all, places, split_sizes
from datasets.twins.sound_items import Example, example_at, write_sound
from datasets.twins.soundscapes import Form
from datasets.twins.spots import Spot

DEFAULT_ITEMS = 1200
DEFAULT_SEED = 0
SHARES = {"development": 9 / 12, "validation": 1 / 12, "evaluation": 2 / 12}
FORM = Form(seconds=6.0, counts={1: 5, 2: 60, 3: 35})
CAPTIONS = 5
# Names as people give their recordings; none tells what is heard.
STEMS = ("Recording {:05d}", "take_{:05d}", "field-rec {:05d} (mono)", "{:05d}__tape, side A")


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its sound."""
    return example_at(_spot(seed, split, place), CAPTIONS, FORM)


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes make the sounds (as many as there are cores by default); small twins
    are made in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    for split in sizes:
        (folder / split).mkdir(parents=True, exist_ok=True)
    jobs = places(sizes)
    rows = make_all(partial(_write_one, folder, seed), jobs, label="sounds", workers=workers)
    told = zip(jobs, rows, strict=True)
    by_split: dict[str, list[list[str]]] = {split: [] for split in SHARES}
    for (split, _), row in told:
        by_split[split].append(row)
    for split, lines in by_split.items():
        path = folder / f"clotho_captions_{split}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file_name", *(f"caption_{n + 1}" for n in range(CAPTIONS))])
            writer.writerows(lines)


def _spot(seed: int, split: str, place: int) -> Spot:
    return Spot(f"clotho-mini/{seed}", split, place)


def _write_one(folder: Path, seed: int, job: tuple[str, int]) -> list[str]:
    split, place = job
    made = example(seed, split, place)
    spot = _spot(seed, split, place)
    name = f"{spot.generator('name').choice(STEMS).format(place)}.wav"
    write_sound(folder / split / name, spot, made.scape)
    return [name, *(caption.text for caption in made.captions)]
