"""Writes the synthetic twin of MSR-VTT: moving scenes in that dataset's own layout.

    folder/MSRVTT_data.json           videos and twenty captions of each
    folder/MSRVTT_train.9k.csv        the longer list of videos to train on
    folder/MSRVTT_train.7k.csv        the shorter one, the first part of it
    folder/MSRVTT_JSFUSION_test.csv   the test videos (1k-A), one caption of each as its query
    folder/MSRVTT_Videos/video<n>.mp4

The 9k list holds the validation videos too: none are published, the loader draws them. The
bytes depend on the versions of Pillow, NumPy and FFmpeg besides items and seed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from datasets.twins.clip_file import H264, MPEG4, available
from datasets.twins.motion_captions import Manner
from datasets.twins.moving_items import Example, example_at, write_scene
from datasets.twins.moving_scenes import SECONDS
from datasets.twins.parallel import make_all, places, split_sizes
from datasets.twins.scenes import BACKGROUNDS
from datasets.twins.spots import Spot

DEFAULT_ITEMS = 900
DEFAULT_SEED = 0
CAPTIONS = 20
SHARES = {"train": 7 / 9, "test": 2 / 9}
# Of the 9,000 videos of the longer list, 6,513 are for training in the official split and 497 for
# validation; these are the shorter list, and the rest is taken from the official test split.
OFFICIAL_TRAIN, OFFICIAL_VALIDATION = 6513 / 9000, 497 / 9000
MANNER = Manner(
    background=0.6,
    plans={"one event": 24, "in turn": 34, "together": 22, "placed": 8, "listing": 12},
)

ANNOTATIONS = "MSRVTT_data.json"
TEST_LIST = "MSRVTT_JSFUSION_test.csv"
LONG_LIST, SHORT_LIST = "MSRVTT_train.9k.csv", "MSRVTT_train.7k.csv"
VIDEOS = "MSRVTT_Videos"

Job = tuple[int, str, int]


def example(seed: int, split: str, place: int) -> Example:
    """The item at ``place`` of a split, without its clip."""
    return example_at(_spot(seed, split, place), CAPTIONS, MANNER)


def make(folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write the twin under ``folder``, which is made if missing.

    ``workers`` processes draw the clips (as many as there are cores by default); small twins
    are drawn in this process. Raises ValueError when ``items`` is less than one a split.
    """
    sizes = split_sizes(items, SHARES)
    jobs = [(number, *spot) for number, spot in enumerate(places(sizes))]
    (folder / VIDEOS).mkdir(parents=True, exist_ok=True)
    write = partial(_write_one, folder / VIDEOS, seed)
    told = list(make_all(write, jobs, label="clips", workers=workers))
    learned = sizes["train"]
    train, validation = (round(share * learned) for share in (OFFICIAL_TRAIN, OFFICIAL_VALIDATION))
    videos = [
        _video(number, "train" if number < train else "validate", background)
        if number < train + validation
        else _video(number, "test", background)
        for number, (background, _) in enumerate(told)
    ]
    sentences = [
        {"caption": text, "video_id": _name(number), "sen_id": number * CAPTIONS + place}
        for number, (_, texts) in enumerate(told)
        for place, text in enumerate(texts)
    ]
    text = json.dumps({"videos": videos, "sentences": sentences})
    (folder / ANNOTATIONS).write_text(text, encoding="utf-8")
    names = [_name(number) for number in range(items)]
    _write_table(folder / LONG_LIST, ["video_id"], ([name] for name in names[:learned]))
    short = names[: train + validation]
    _write_table(folder / SHORT_LIST, ["video_id"], ([name] for name in short))
    asked = (
        [f"ret{row}", f"msr{number}", names[number], told[number][1][0]]
        for row, number in enumerate(range(learned, items))
    )
    _write_table(folder / TEST_LIST, ["key", "vid_key", "video_id", "sentence"], asked)


def _spot(seed: int, split: str, place: int) -> Spot:
    return Spot(f"msrvtt/{seed}", split, place)


def _write_one(videos: Path, seed: int, job: Job) -> tuple[str, list[str]]:
    number, split, place = job
    encoding = H264 if available(H264) else MPEG4
    write_scene(videos / f"{_name(number)}.mp4", _spot(seed, split, place), encoding)
    made = example(seed, split, place)
    return made.scene.background, [caption.text for caption in made.captions]


def _name(number: int) -> str:
    return f"video{number}"


def _video(number: int, split: str, background: str) -> dict[str, object]:
    """A video's record; it has no address, and its background serves for a category."""
    return {
        "category": BACKGROUNDS.index(background),
        "url": "",
        "video_id": _name(number),
        "start time": 0.0,
        "end time": SECONDS,
        "split": split,
        "id": number,
    }


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
