"""Writes the synthetic twin of Flickr30K: rendered scenes in that dataset's own layout.

    folder/dataset_flickr30k.json        annotations in Karpathy's form
    folder/flickr30k-images/<id>.jpg     pictures

Every odd item may be a sibling of the item before it: the same words bound otherwise. An item
depends on (seed, split, place) alone, so that neither the number of worker processes nor their
order shows in the files. The bytes also depend on the versions of Pillow and NumPy.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datasets.twins.parallel import make_all, split_sizes
from datasets.twins.scene_captions import Caption, describe
from datasets.twins.scene_rendering import render
from datasets.twins.scenes import Scene, sample_scene, sibling

DEFAULT_ITEMS = 1800
DEFAULT_SEED = 0
ANNOTATIONS = "dataset_flickr30k.json"
IMAGES = "flickr30k-images"
# 500 of every 3,600 items are for test, 300 for validation.
SHARES = {"train": 28 / 36, "val": 3 / 36, "test": 5 / 36}
SIBLING_SHARE = 0.6
QUALITY = 90


@dataclass(frozen=True)
class Example:
    """One item of the twin: its scene and its five captions."""

    split: str
    place: int
    scene: Scene
    captions: tuple[Caption, ...]


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its picture."""
    rng = random.Random(f"{seed}/{split}/{place}/captions")
    scene = _scene(seed, split, place)
    return Example(split, place, scene, tuple(describe(scene, rng)))


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes draw the pictures (as many as there are cores by default); small twins
    are drawn in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    places = [(split, place) for split in SHARES for place in range(sizes[split])]
    jobs = [(number, split, place) for number, (split, place) in enumerate(places)]
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    write = partial(_write_one, folder / IMAGES, seed)
    told = make_all(write, jobs, label="scenes", workers=workers)
    records = [
        _record(number, split, captions)
        for (number, split, _), captions in zip(jobs, told, strict=True)
    ]
    text = json.dumps({"images": records, "dataset": "flickr30k"}, ensure_ascii=False)
    (folder / ANNOTATIONS).write_text(text, encoding="utf-8")


def _scene(seed: int, split: str, place: int) -> Scene:
    rng = random.Random(f"{seed}/{split}/{place}/scene")
    if place % 2 == 1 and rng.random() < SIBLING_SHARE:
        return sibling(_scene(seed, split, place - 1), rng)
    return sample_scene(rng)


def _write_one(images: Path, seed: int, job: tuple[int, str, int]) -> list[str]:
    number, split, place = job
    made = example(seed, split, place)
    picture = render(made.scene, random.Random(f"{seed}/{split}/{place}/looks"))
    picture.save(images / _filename(number), quality=QUALITY)
    return [caption.text for caption in made.captions]


def _filename(number: int) -> str:
    return f"{1_000_000_000 + number}.jpg"


def _record(number: int, split: str, captions: list[str]) -> dict[str, object]:
    first = number * len(captions)
    sentences = [
        {"tokens": _tokens(text), "raw": text, "imgid": number, "sentid": first + place}
        for place, text in enumerate(captions)
    ]
    return {
        "sentids": [first + place for place in range(len(captions))],
        "imgid": number,
        "sentences": sentences,
        "split": split,
        "filename": _filename(number),
    }


def _tokens(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower())
