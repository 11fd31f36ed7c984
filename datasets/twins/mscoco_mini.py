"""Writes the synthetic twin of MS-COCO: crowded scenes in that dataset's own layout.

    folder/dataset_coco.json                           annotations in Karpathy's form
    folder/train2014/COCO_train2014_<twelve digits>.jpg
    folder/val2014/COCO_val2014_<twelve digits>.jpg

Some items have six or seven captions, as some of COCO's photos do. The bytes depend on the versions
of Pillow and NumPy besides items and seed.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import accumulate
from pathlib import Path

from datasets.twins.karpathy_records import sentences
from datasets.twins.parallel import make_all, places, split_sizes
from datasets.twins.scene_items import Example, example_at, picture
from datasets.twins.spots import Spot

DEFAULT_ITEMS = 1440
DEFAULT_SEED = 0
ANNOTATIONS = "dataset_coco.json"
SHARES = {"train": 21 / 36, "restval": 7 / 36, "val": 3 / 36, "test": 5 / 36}
# COCO's own split of 2014 that the photos of each of Karpathy's were taken from.
PARTS = {"train": "train2014", "restval": "val2014", "val": "val2014", "test": "val2014"}
CROWD = {2: 20, 3: 45, 4: 35}
CAPTION_WEIGHTS = {5: 88, 6: 9, 7: 3}
QUALITY = 90

Job = tuple[int, str, int]


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its picture."""
    return example_at(_spot(seed, split, place), caption_count(seed, split, place), CROWD)


def caption_count(seed: int, split: str, place: int) -> int:
    """How many captions an item has."""
    rng = _spot(seed, split, place).generator("count")
    return rng.choices(tuple(CAPTION_WEIGHTS), weights=tuple(CAPTION_WEIGHTS.values()))[0]


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes draw the pictures (as many as there are cores by default); small twins
    are drawn in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    jobs = [(number, *spot) for number, spot in enumerate(places(sizes))]
    for part in set(PARTS.values()):
        (folder / part).mkdir(parents=True, exist_ok=True)
    told = list(make_all(partial(_write_one, folder, seed), jobs, label="scenes", workers=workers))
    firsts = accumulate((len(texts) for texts in told), initial=0)
    records = [
        {
            "filepath": PARTS[split],
            **sentences(number, first, texts),
            "filename": _filename(number, split),
            "split": split,
            "cocoid": _coco_id(number),
        }
        for (number, split, _), first, texts in zip(jobs, firsts, told, strict=False)
    ]
    text = json.dumps({"images": records, "dataset": "coco"}, ensure_ascii=False)
    (folder / ANNOTATIONS).write_text(text, encoding="utf-8")


def _spot(seed: int, split: str, place: int) -> Spot:
    return Spot(f"mscoco/{seed}", split, place)


def _write_one(folder: Path, seed: int, job: Job) -> list[str]:
    number, split, place = job
    made = example(seed, split, place)
    drawn = picture(_spot(seed, split, place), made.scene)
    drawn.save(folder / PARTS[split] / _filename(number, split), quality=QUALITY)
    return [caption.text for caption in made.captions]


def _coco_id(number: int) -> int:
    return number + 1


def _filename(number: int, split: str) -> str:
    return f"COCO_{PARTS[split]}_{_coco_id(number):012}.jpg"
