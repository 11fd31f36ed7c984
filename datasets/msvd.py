"""MSVD: ``train_list.txt``, ``val_list.txt`` and ``test_list.txt``, and captions in a plain file.

A list has a video a line, ``{YouTube id}_{first second}_{last second}``, with or without extension.
The captions are read from the first that is found of ``captions_msvd.json``,
``AllVideoDescriptions.txt``, ``video_corpus.csv`` and ``sents_{train,val,test}_lc_nopunc.txt`` with
``youtube_mapping.txt``. They differ in spelling and in how many captions they keep, which the
protocol's name tells. The videos bear the ids of the lists, with any extension of a video, in
``YouTubeClips/``, ``videos/`` or beside the lists.

``raw-captions.pkl`` is a pickle and never opened: unpickling runs whatever code the file holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets.annotation_forms import WORDS, missing_split
from datasets.annotations import Annotated, AnnotatedItem, Caption, Split
from datasets.base import DatasetError
from datasets.clip_files import Wanted, place_clips
from datasets.files import find_file
from datasets.layouts import msvd_captions, split_lists
from datasets.layouts.msvd_captions import Captions
from datasets.protocol_card import ProtocolCard

PICKLE = "raw-captions.pkl"
MAPPING = "youtube_mapping.txt"
_READERS: dict[str, Callable[[Path], Captions]] = {
    "captions_msvd.json": msvd_captions.from_json,
    "AllVideoDescriptions.txt": msvd_captions.from_descriptions,
    "video_corpus.csv": msvd_captions.from_corpus,
    "MSR Video Description Corpus.csv": msvd_captions.from_corpus,
}


@dataclass(frozen=True)
class _Source:
    """A file that captions are read from."""

    name: str
    captions: Captions


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The list of the test split, None where there is none."""
    return find_file(folder, _list("test"))


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    test = find(folder, card)
    if test is None:
        raise DatasetError(f"{folder} holds no {_list('test')}. {card.source}")
    lists = {split: test.with_name(_list(split)) for split in WORDS}
    there = {split: path for split, path in lists.items() if path.is_file()}
    source = _source(folder, card)
    items = tuple(_item(name, split, source) for name, split in split_lists.parse(there).items())
    if not any(item.captions for item in items if item.split == "test"):
        raise DatasetError(
            f"{source.name} has no caption for any video of {test}; they belong to different data"
        )
    wanted = [Wanted(item, (item.id,)) for item in items]
    placed, placing = place_clips(wanted, folder, card.media)
    notes = (
        *_source_note(source, card),
        *(missing_split(lists[s].name, test.name, s) for s in lists if s not in there),
        *placing,
    )
    return Annotated(card.protocols[0], placed, notes)


def _list(split: Split) -> str:
    return f"{WORDS[split]}_list.txt"


def _source(folder: Path, card: ProtocolCard) -> _Source:
    for name, reader in _READERS.items():
        path = find_file(folder, name)
        if path is not None:
            return _Source(name, reader(path))
    mapping = find_file(folder, MAPPING)
    names = (f"sents_{word}_lc_nopunc.txt" for word in WORDS.values())
    sentences = [path for name in names if (path := find_file(folder, name))]
    if mapping is not None and sentences:
        name = ", ".join(path.name for path in sentences)
        return _Source(name, msvd_captions.from_sentences(sentences, mapping))
    raise DatasetError(_no_captions(folder, card))


def _source_note(source: _Source, card: ProtocolCard) -> tuple[str, ...]:
    if source.name in card.protocols[0].annotations:
        return ()
    return (f"The captions are those of {source.name}.",)


def _no_captions(folder: Path, card: ProtocolCard) -> str:
    wanted = f"{', '.join(_READERS)} or sents_*_lc_nopunc.txt with {MAPPING}"
    said = f"{folder} holds no captions: none of {wanted} is there or in its folder annotations."
    if find_file(folder, PICKLE) is not None:
        said += f" {PICKLE} is there but is never opened: a pickle runs whatever code it holds."
    return f"{said} {card.source}"


def _item(name: str, split: Split, source: _Source) -> AnnotatedItem:
    texts = source.captions.get(name, ())
    captions = tuple(Caption(f"{name}#{j}", text) for j, text in enumerate(texts))
    return AnnotatedItem(name, split, Path(f"{name}.avi"), captions, "video")
