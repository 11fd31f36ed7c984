"""Read the annotations of MSR-VTT: ``MSRVTT_data.json``, ``test_videodatainfo.json``.

``{"videos": [{"video_id", "split", ...}], "sentences": [{"caption", "video_id", "sen_id"}]}``, from
Xu, Mei, Yao and Rui, MSR-VTT: a large video description dataset for bridging video and language,
CVPR 2016.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.annotations import clean_text
from datasets.base import DatasetError
from datasets.layouts.json_file import read_object

_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Video:
    """A video's id, the word that its file has for its split, and its captions."""

    id: str
    split: str
    captions: tuple[str, ...]


def parse(path: Path) -> tuple[Video, ...]:
    """The videos of an annotation file, in its order. Raises DatasetError naming the entry."""
    table = read_object(path)
    for key in ("videos", "sentences"):
        if not isinstance(table.get(key), list):
            raise DatasetError(f"{path} holds no list {key!r}; it is not in MSR-VTT's layout")
    splits = _splits(table["videos"], path)
    captions: dict[str, list[str]] = {name: [] for name in splits}
    for i, sentence in enumerate(table["sentences"]):
        where = f"{path}, sentences[{i}]"
        match sentence:
            case {"video_id": str(video), "caption": str(text)}:
                name = video_id(video, where)
                if name not in captions:
                    raise DatasetError(f"{where}: {name!r} is not among the videos")
                captions[name].append(clean_text(text, where))
            case _:
                raise DatasetError(f"{where} has no 'video_id' or no 'caption'")
    return tuple(Video(name, split, tuple(captions[name])) for name, split in splits.items())


def video_id(text: str, where: str) -> str:
    """The id of a video, which also names its file. Raises DatasetError, naming ``where``."""
    name = text.strip()
    if not _ID.fullmatch(name):
        raise DatasetError(f"{where}: {text!r} is not the id of a video")
    return name


def _splits(videos: list[Any], path: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for i, video in enumerate(videos):
        where = f"{path}, videos[{i}]"
        match video:
            case {"video_id": str(text), "split": str(split)}:
                name = video_id(text, where)
            case _:
                raise DatasetError(f"{where} has no 'video_id' or no 'split'")
        if name in splits:
            raise DatasetError(f"{where}: {name!r} stands twice")
        splits[name] = split
    return splits
