"""Writes the synthetic twin of Flickr30K: rendered scenes in that dataset's own layout.

    folder/dataset_flickr30k.json        annotations in Karpathy's form
    folder/flickr30k-images/<id>.jpg     pictures

The bytes depend on the versions of Pillow and NumPy besides items and seed.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from datasets.twins.karpathy_records import sentences
from datasets.twins.parallel import make_all, places, split_sizes
from datasets.twins.scene_items import Example, example_at, picture
from datasets.twins.scenes import SPARSE
from datasets.twins.spots import Spot

DEFAULT_ITEMS = 1440
DEFAULT_SEED = 0
ANNOTATIONS = "dataset_flickr30k.json"
IMAGES = "flickr30k-images"
# 500 of every 3,600 items are for test, 300 for validation.
SHARES = {"train": 28 / 36, "val": 3 / 36, "test": 5 / 36}
CAPTIONS = 5
QUALITY = 90


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its picture."""
    return example_at(_spot(seed, split, place), CAPTIONS, SPARSE)


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes draw the pictures (as many as there are cores by default); small twins
    are drawn in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    jobs = [(number, *spot) for number, spot in enumerate(places(sizes))]
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    write = partial(_write_one, folder / IMAGES, seed)
    told = make_all(write, jobs, label="scenes", workers=workers)
    records = [
        _record(number, split, captions)
        for (number, split, _), captions in zip(jobs, told, strict=True)
    ]
    text = json.dumps({"images": records, "dataset": "flickr30k"}, ensure_ascii=False)
    (folder / ANNOTATIONS).write_text(text, encoding="utf-8")


def _spot(seed: int, split: str, place: int) -> Spot:
    return Spot(str(seed), split, place)


def _write_one(images: Path, seed: int, job: tuple[int, str, int]) -> list[str]:
    number, split, place = job
    made = example(seed, split, place)
    drawn = picture(_spot(seed, split, place), made.scene)
    drawn.save(images / _filename(number), quality=QUALITY)
    return [caption.text for caption in made.captions]


def _filename(number: int) -> str:
    return f"{1_000_000_000 + number}.jpg"


def _record(number: int, split: str, captions: list[str]) -> dict[str, object]:
    told = sentences(number, number * CAPTIONS, captions)
    return {**told, "split": split, "filename": _filename(number)}
