"""Read the lists of MSR-VTT's 1k-A split: ``MSRVTT_JSFUSION_test.csv``, ``MSRVTT_train.9k.csv``.

The test list is ``key,vid_key,video_id,sentence``, from Yu, Kim and Kim, A joint sequence fusion
model for video question answering and retrieval, ECCV 2018; a training list is one column,
``video_id``.
"""

from __future__ import annotations

from pathlib import Path

from datasets.annotations import Caption, clean_text
from datasets.base import DatasetError
from datasets.layouts.csv_table import read_table
from datasets.layouts.msrvtt_json import video_id


def queries(path: Path) -> dict[str, tuple[Caption, ...]]:
    """Video id -> the sentences that are asked for it, one in the published list.

    A sentence's id is its ``key``. Raises DatasetError naming the line.
    """
    asked: dict[str, list[Caption]] = {}
    keys: set[str] = set()
    for row in read_table(path, ("key", "video_id", "sentence")):
        key = clean_text(row.fields["key"], row.where)
        if key in keys:
            raise DatasetError(f"{row.where}: key {key!r} stands twice")
        keys.add(key)
        sentence = Caption(key, clean_text(row.fields["sentence"], row.where))
        video = video_id(row.fields["video_id"], row.where)
        asked.setdefault(video, []).append(sentence)
    return {name: tuple(sentences) for name, sentences in asked.items()}


def video_ids(path: Path) -> tuple[str, ...]:
    """The videos of a training list, in its order. Raises DatasetError naming the line."""
    ids: dict[str, None] = {}
    for row in read_table(path, ("video_id",)):
        name = video_id(row.fields["video_id"], row.where)
        if name in ids:
            raise DatasetError(f"{row.where}: video {name!r} stands twice")
        ids[name] = None
    return tuple(ids)
