"""Flickr30K under either of its splits, which share 25 of their 1,000 test photos.

Karpathy and Fei-Fei's split is read from the first of these that is found:

    dataset_flickr30k.json                  Karpathy's own file
    results_20130124.token                  with lists of file names: train.txt, val.txt and
                                            test.txt, or test_2016_flickr.txt as Multi30K has it
    flickr30k_{train,val,test}.json         LAVIS and BLIP
    flickr30k_{train,val,test}_karpathy.txt CLIP_benchmark

A form with something to train on goes before one of the test split alone. The split of Flickr30K
Entities needs its lists of ids, train.txt, val.txt and test.txt, and the captions of all photos:
results_20130124.token, or what dataset_flickr30k.json holds of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from datasets.annotation_forms import (
    WORDS,
    Form,
    Items,
    Notes,
    file_a_split,
    karpathy_copy,
    karpathy_file,
    missing_split,
    preferred,
)
from datasets.annotations import Annotated, Split
from datasets.base import DatasetError
from datasets.files import ANNOTATION_FOLDERS, find_file, place
from datasets.layouts import clip_benchmark, flickr_token, karpathy, lavis, split_lists
from datasets.protocol_card import Protocol, ProtocolCard

KARPATHY, TOKENS = "dataset_flickr30k.json", "results_20130124.token"
LIST_FOLDERS = (*ANNOTATION_FOLDERS, "flickr30k_entities", "image_splits")
TEST_LISTS = ("test.txt", "test_2016_flickr.txt")


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The annotation file that names the test split, None where there is none."""
    found = _find(folder, card)
    return found[1].test if found else None


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    found = _find(folder, card)
    if found is None:
        raise DatasetError(f"{folder} holds no {card.wanted}")
    protocol, form = found
    items, notes = form.read()
    return Annotated(protocol, place(items, folder, card.media), notes)


def _find(folder: Path, card: ProtocolCard) -> tuple[Protocol, Form] | None:
    for protocol in card.protocols:
        forms = _entities(folder) if protocol.variant == "entities" else _karpathy(folder)
        form = preferred(forms)
        if form is not None:
            return protocol, form
    return None


def _karpathy(folder: Path) -> Iterator[Form | None]:
    yield karpathy_file(folder, KARPATHY)
    yield _listed(_lists(folder, file_names=True), find_file(folder, TOKENS), _tokens)
    yield file_a_split(folder, "flickr30k_{}.json", lavis.parse)
    yield file_a_split(folder, "flickr30k_{}_karpathy.txt", clip_benchmark.parse)
    yield karpathy_copy(folder, KARPATHY)


def _entities(folder: Path) -> Iterator[Form | None]:
    lists = _lists(folder, file_names=False)
    yield _listed(lists, find_file(folder, TOKENS), _tokens)
    yield _listed(lists, find_file(folder, KARPATHY), karpathy.parse)


def _tokens(path: Path) -> Items:
    return flickr_token.parse(path, "train")


def _lists(folder: Path, *, file_names: bool) -> dict[Split, Path]:
    """The lists of one folder that hold file names, or ids; empty without that of the test split.

    Both splits are published as train.txt, val.txt and test.txt: what a list holds tells them
    apart.
    """
    for inner in LIST_FOLDERS:
        for test in TEST_LISTS:
            names = {**{split: f"{word}.txt" for split, word in WORDS.items()}, "test": test}
            paths = {split: folder / inner / name for split, name in names.items()}
            lists = {
                split: path
                for split, path in paths.items()
                if path.is_file() and split_lists.lists_file_names(path) == file_names
            }
            if "test" in lists:
                return lists
    return {}


def _listed(
    lists: Mapping[Split, Path], captions: Path | None, parse: Callable[[Path], Items]
) -> Form | None:
    """Lists of photos and, in another file, the captions of all."""
    if not lists or captions is None:
        return None
    return Form(lists["test"], "train" in lists, partial(_divide, lists, captions, parse))


def _divide(
    lists: Mapping[Split, Path], captions: Path, parse: Callable[[Path], Items]
) -> tuple[Items, Notes]:
    splits = split_lists.parse(lists)
    known = {item.id: item for item in parse(captions)}
    items = tuple(replace(known[one], split=split) for one, split in splits.items() if one in known)
    notes = [
        missing_split(f"{word}.txt", lists["test"].name, split)
        for split, word in WORDS.items()
        if split not in lists
    ]
    if len(items) < len(splits):
        notes.append(
            f"{len(splits) - len(items):,} of the {len(splits):,} listed photos are not in "
            f"{captions.name} and are left out."
        )
    return items, tuple(notes)
