"""Read the tables of AudioCaps: ``train.csv``, ``val.csv``, ``test.csv``.

``audiocap_id,youtube_id,start_time,caption``, a row a caption and the rows of one sound apart from
each other; from Kim, Kim, Lee and Kim, AudioCaps: generating captions for audios in the wild,
NAACL 2019.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from datasets.annotations import Caption, clean_text
from datasets.base import DatasetError
from datasets.layouts.csv_table import Row, read_table

_ID = re.compile(r"[A-Za-z0-9_-]+")
_START = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Sound:
    """Ten seconds of a video's sound: its id at YouTube, where they start, their captions."""

    youtube_id: str
    start: int
    captions: tuple[Caption, ...]

    @property
    def id(self) -> str:
        return f"{self.youtube_id}_{self.start}"


def parse(path: Path) -> tuple[Sound, ...]:
    """The sounds of a table in the order of their first rows, each with all of its captions.

    Raises DatasetError naming the line: an id that could not be YouTube's, a start that is not
    whole seconds, a caption id that stands twice.
    """
    captions: dict[tuple[str, int], list[Caption]] = {}
    seen: set[str] = set()
    for row in read_table(path, ("audiocap_id", "youtube_id", "start_time", "caption")):
        caption = Caption(
            clean_text(row.fields["audiocap_id"], row.where),
            clean_text(row.fields["caption"], row.where),
        )
        if caption.id in seen:
            raise DatasetError(f"{row.where}: audiocap_id {caption.id!r} stands twice")
        seen.add(caption.id)
        captions.setdefault(_key(row), []).append(caption)
    return tuple(Sound(name, start, tuple(texts)) for (name, start), texts in captions.items())


def _key(row: Row) -> tuple[str, int]:
    name, start = row.fields["youtube_id"].strip(), row.fields["start_time"].strip()
    if not _ID.fullmatch(name):
        raise DatasetError(f"{row.where}: {name!r} is not the id of a video at YouTube")
    if not _START.fullmatch(start):
        raise DatasetError(f"{row.where}: start_time {start!r} is not a number of seconds")
    return name, int(start)
