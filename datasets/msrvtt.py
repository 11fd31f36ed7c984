"""MSR-VTT: ``MSRVTT_data.json`` with the lists of the 1k-A split, or by its own split.

Captions are read from ``MSRVTT_data.json`` or, where that is not found, from the original release's
``train_val_videodatainfo.json`` and ``test_videodatainfo.json``. The gallery and its queries are
those of ``MSRVTT_JSFUSION_test.csv``; what is learned from is listed by ``MSRVTT_train.9k.csv`` or
``MSRVTT_train.7k.csv``. These files lie in the data folder, in ``annotations/``, ``annotation/`` or
``msrvtt_data/``. The videos are ``video0.mp4`` and so on, with any extension of a video, in
``MSRVTT_Videos/``, ``videos/all/``, ``TrainValVideo/`` and ``TestVideo/``, or beside the tables.

The 1k-A split has no validation videos, so they are drawn out of its training list. The variant
``full`` is the split of the release itself: every caption of 2,990 videos is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.annotation_forms import refuse_repeats
from datasets.annotations import Annotated, AnnotatedItem, Caption, Split
from datasets.base import DatasetError
from datasets.clip_files import Wanted, place_clips
from datasets.drawn_validation import SEED, draw_validation
from datasets.files import find_file
from datasets.layouts import msrvtt_json, msrvtt_lists
from datasets.layouts.msrvtt_json import Video
from datasets.protocol_card import Protocol, ProtocolCard

VALIDATION_ITEMS = 500
TEST_LIST = "MSRVTT_JSFUSION_test.csv"
CAPTIONS = (("MSRVTT_data.json",), ("train_val_videodatainfo.json", "test_videodatainfo.json"))
OFFICIAL_SPLITS: dict[str, Split] = {"train": "train", "validate": "validation", "test": "test"}
_FOLDERS = (".", "annotations", "annotation", "msrvtt_data")


@dataclass(frozen=True)
class _Files:
    """The files of one protocol.

    test      names the test split: the list of 1k-A, or the captions of the release's own split
    train     the training list of 1k-A, None where it is not found
    captions  the files of the captions, none where they are not found
    """

    protocol: Protocol
    test: Path
    train: Path | None
    captions: tuple[Path, ...]


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The file that names the test split, None where there is none."""
    files = _files(folder, card)
    return None if files is None else files.test


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    files = _files(folder, card)
    if files is None:
        raise DatasetError(f"{folder} holds no {card.protocols[0].annotations[0]}. {card.source}")
    videos = _videos(files.captions)
    items, notes = _official(videos) if files.protocol.variant == "full" else _listed(files, videos)
    wanted = [Wanted(item, (item.id,)) for item in refuse_repeats(items, files.test)]
    placed, placing = place_clips(wanted, folder, card.media)
    return Annotated(files.protocol, placed, (*notes, *placing))


def _files(folder: Path, card: ProtocolCard) -> _Files | None:
    """The first protocol whose lists and captions are found, else the first with a test split.

    So the split of the release itself is never read in place of 1k-A for want of a training list.
    """
    captions = _captions(folder)
    found = [
        files
        for protocol in card.protocols
        if (files := _files_of(folder, protocol, captions)) is not None
    ]
    listed = (files for files in found if files.train is not None and files.captions)
    return next(listed, next(iter(found), None))


def _files_of(folder: Path, protocol: Protocol, captions: tuple[Path, ...]) -> _Files | None:
    if protocol.variant == "full":
        names = {names[-1] for names in CAPTIONS}
        test = next((path for path in captions if path.name in names), None)
        return None if test is None else _Files(protocol, test, None, captions)
    test = find_file(folder, TEST_LIST, _FOLDERS)
    train = find_file(folder, _train_list(protocol), _FOLDERS)
    return None if test is None else _Files(protocol, test, train, captions)


def _train_list(protocol: Protocol) -> str:
    return f"MSRVTT_train.{protocol.variant or '9k'}.csv"


def _captions(folder: Path) -> tuple[Path, ...]:
    for names in CAPTIONS:
        paths = tuple(path for name in names if (path := find_file(folder, name, _FOLDERS)))
        if paths:
            return paths
    return ()


def _videos(paths: tuple[Path, ...]) -> dict[str, Video]:
    videos: dict[str, Video] = {}
    for path in paths:
        for video in msrvtt_json.parse(path):
            if video.id in videos:
                raise DatasetError(f"{path}: {video.id!r} stands in {paths[0].name} as well")
            videos[video.id] = video
    return videos


def _official(
    videos: Mapping[str, Video],
) -> tuple[tuple[AnnotatedItem, ...], tuple[str, ...]]:
    items = []
    for video in videos.values():
        split = OFFICIAL_SPLITS.get(video.split)
        if split is None:
            raise DatasetError(
                f"{video.id!r} has split {video.split!r}, none of {', '.join(OFFICIAL_SPLITS)}"
            )
        items.append(_item(video, split))
    return tuple(items), ()


def _listed(
    files: _Files, videos: Mapping[str, Video]
) -> tuple[tuple[AnnotatedItem, ...], tuple[str, ...]]:
    test = tuple(
        AnnotatedItem(name, "test", Path(f"{name}.mp4"), sentences, "video")
        for name, sentences in msrvtt_lists.queries(files.test).items()
    )
    if files.train is None or not files.captions:
        return test, (_nothing_to_learn(files),)
    listed = msrvtt_lists.video_ids(files.train)
    learned = [_item(videos[name], "train") for name in listed if name in videos]
    split, drawn = draw_validation(learned, VALIDATION_ITEMS)
    notes = [
        f"No validation videos are published with {files.train.name}: {drawn:,} of its "
        f"{len(listed):,} were drawn with seed {SEED} and are not trained on."
    ]
    if len(learned) < len(listed):
        sources = " and ".join(path.name for path in files.captions)
        notes.append(
            f"{len(listed) - len(learned):,} videos of {files.train.name} are not in {sources} "
            "and are left out."
        )
    return (*split, *test), tuple(notes)


def _nothing_to_learn(files: _Files) -> str:
    missing = [] if files.train is not None else [_train_list(files.protocol)]
    if not files.captions:
        missing.append(" or ".join(names[0] for names in CAPTIONS))
    return (
        f"{' and '.join(missing)} was not found beside {files.test.name}: "
        "there is nothing to train on."
    )


def _item(video: Video, split: Split) -> AnnotatedItem:
    captions = tuple(Caption(f"{video.id}#{j}", text) for j, text in enumerate(video.captions))
    return AnnotatedItem(video.id, split, Path(f"{video.id}.mp4"), captions, "video")
