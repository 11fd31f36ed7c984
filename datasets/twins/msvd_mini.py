"""Writes the synthetic twin of MSVD: moving scenes in that dataset's own layout.

    folder/train_list.txt, val_list.txt, test_list.txt   an id a line
    folder/captions_msvd.json                            {id: [captions]}
    folder/YouTubeClips/<id>.avi

An id is ``<eleven characters>_<start>_<end>``, as cut from a longer video. The bytes depend on the
versions of Pillow, NumPy and FFmpeg besides items and seed.
"""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path

from datasets.twins.clip_file import MPEG4
from datasets.twins.motion_captions import Manner
from datasets.twins.moving_items import Example, example_at, write_scene
from datasets.twins.moving_scenes import SECONDS
from datasets.twins.parallel import make_all, places, split_sizes
from datasets.twins.spots import Spot

DEFAULT_ITEMS = 660
DEFAULT_SEED = 0
SHARES = {"train": 50 / 66, "val": 6 / 66, "test": 10 / 66}
# The real clips have 21 to 81 captions each, 41 on average.
FEWEST_CAPTIONS, MOST_CAPTIONS = 21, 81
MANNER = Manner(
    background=0.35,
    plans={"one event": 40, "in turn": 30, "together": 16, "placed": 6, "listing": 8},
)

WITHOUT_PUNCTUATION = str.maketrans({",": None, "-": " "})

CAPTIONS = "captions_msvd.json"
CLIPS = "YouTubeClips"


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its clip."""
    return example_at(_spot(seed, split, place), caption_count(seed, split, place), MANNER)


def caption_count(seed: int, split: str, place: int) -> int:
    """How many captions an item has."""
    rng = _spot(seed, split, place).generator("count")
    return round(rng.triangular(FEWEST_CAPTIONS, MOST_CAPTIONS, FEWEST_CAPTIONS))


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes draw the clips (as many as there are cores by default); small twins
    are drawn in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    jobs = places(sizes)
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    write = partial(_write_one, folder / CLIPS, seed)
    told = dict(make_all(write, jobs, label="clips", workers=workers))
    (folder / CAPTIONS).write_text(json.dumps(told), encoding="utf-8")
    for split in SHARES:
        names = (clip_id(seed, split, place) for place in range(sizes[split]))
        text = "".join(f"{name}\n" for name in names)
        (folder / f"{split}_list.txt").write_text(text, encoding="utf-8", newline="\n")


def clip_id(seed: int, split: str, place: int) -> str:
    """The name of an item: a video's, and the seconds between which it was cut out."""
    rng = _spot(seed, split, place).generator("name")
    video = base64.urlsafe_b64encode(rng.randbytes(9)).decode()[:11]
    start = rng.randrange(300)
    return f"{video}_{start}_{start + round(SECONDS)}"


def _spot(seed: int, split: str, place: int) -> Spot:
    return Spot(f"msvd/{seed}", split, place)


def _write_one(clips: Path, seed: int, job: tuple[str, int]) -> tuple[str, list[str]]:
    split, place = job
    name = clip_id(seed, split, place)
    write_scene(clips / f"{name}.avi", _spot(seed, split, place), MPEG4)
    captions = example(seed, split, place).captions
    return name, [caption.text.translate(WITHOUT_PUNCTUATION) for caption in captions]
