"""Writes the synthetic twin of AudioCaps: synthesised sounds in that dataset's own layout.

    folder/<split>.csv                        audiocap_id,youtube_id,start_time,caption
    folder/<split>/<youtube_id>_<start>.flac  sounds of four seconds, one or two events each

The splits are train, val and test. As in AudioCaps an item of train has one caption, the others
have five, and the rows of an item do not stand together. The ids are made up. The bytes also
depend on the versions of NumPy and libsndfile.
"""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from datasets.twins.parallel import make_all, places, split_sizes
from datasets.twins.sound_items import Example, example_at, write_sound
from datasets.twins.soundscapes import Form
from datasets.twins.spots import Spot

DEFAULT_ITEMS = 2400
DEFAULT_SEED = 0
# 250 of every 2,400 items are for test, 100 for validation.
SHARES = {"train": 205 / 240, "val": 10 / 240, "test": 25 / 240}
FORM = Form(seconds=4.0, counts={1: 15, 2: 85})
CAPTIONS = {"train": 1, "val": 5, "test": 5}
FIRST_ID = 1000

# The name of an item's file without its extension, in two parts, and its captions.
Told = tuple[str, int, list[str]]


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its sound."""
    return example_at(_spot(seed, split, place), CAPTIONS[split], FORM)


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes make the sounds (as many as there are cores by default); small twins
    are made in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    for split in sizes:
        (folder / split).mkdir(parents=True, exist_ok=True)
    jobs = places(sizes)
    made = make_all(partial(_write_one, folder, seed), jobs, label="sounds", workers=workers)
    by_split: dict[str, list[Told]] = {split: [] for split in SHARES}
    for (split, _), told in zip(jobs, made, strict=True):
        by_split[split].append(told)
    first = FIRST_ID
    for split, items_told in by_split.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["audiocap_id", "youtube_id", "start_time", "caption"])
            for number, row in enumerate(_rows(items_told), first):
                writer.writerow([number, *row])
        first += sum(len(captions) for _, _, captions in items_told)


def _rows(told: Sequence[Told]) -> Iterator[tuple[str, int, str]]:
    """The first captions of all items, then the second ones, and so on."""
    for turn in range(max(len(captions) for _, _, captions in told)):
        for youtube_id, start, captions in told:
            yield youtube_id, start, captions[turn]


def _spot(seed: int, split: str, place: int) -> Spot:
    return Spot(f"audiocaps-mini/{seed}", split, place)


def _write_one(folder: Path, seed: int, job: tuple[str, int]) -> Told:
    split, place = job
    made = example(seed, split, place)
    spot = _spot(seed, split, place)
    youtube_id = _made_up_id(spot)
    start = 10 * spot.generator("start").randrange(40)
    write_sound(folder / split / f"{youtube_id}_{start}.flac", spot, made.scape)
    return youtube_id, start, [caption.text.rstrip(".") for caption in made.captions]


def _made_up_id(spot: Spot) -> str:
    """Eleven characters such as YouTube's ids are made of; some begin with a hyphen."""
    digest = hashlib.blake2b(str(spot).encode(), digest_size=8).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
