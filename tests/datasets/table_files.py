"""Write the tables and lists of the sound and video datasets, and empty files to be found."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], encoding: str = "utf-8"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def write_clotho(path: Path, captions: Mapping[str, Sequence[str]]) -> Path:
    """A caption table: file name -> five captions."""
    header = ["file_name", *(f"caption_{n}" for n in range(1, 6))]
    return write_table(path, header, ([name, *texts] for name, texts in captions.items()))


def write_audiocaps(path: Path, rows: Iterable[tuple[str, int, str]]) -> Path:
    """A table of (YouTube id, start, caption), numbered from 100."""
    header = ["audiocap_id", "youtube_id", "start_time", "caption"]
    return write_table(path, header, ([100 + n, *row] for n, row in enumerate(rows)))


def write_msrvtt(path: Path, videos: Mapping[str, tuple[str, Sequence[str]]]) -> Path:
    """An annotation file: video id -> its split and captions, the sentences in turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    turns = max((len(texts) for _, texts in videos.values()), default=0)
    sentences = [
        {"caption": texts[turn], "video_id": name, "sen_id": turn}
        for turn in range(turns)
        for name, (_, texts) in videos.items()
        if turn < len(texts)
    ]
    table = {
        "info": {"year": "2016"},
        "videos": [
            {"video_id": name, "split": split, "start time": 1.5, "end time": 9.0, "id": number}
            for number, (name, (split, _)) in enumerate(videos.items())
        ],
        "sentences": sentences,
    }
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


def write_lines(path: Path, lines: Iterable[str], end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
