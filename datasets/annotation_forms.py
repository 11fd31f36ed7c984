"""The forms in which one split is published: found first, read only when chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.annotations import AnnotatedItem, Split
from datasets.base import DatasetError
from datasets.files import find_file, find_named_like
from datasets.layouts import karpathy

Items = tuple[AnnotatedItem, ...]
Notes = tuple[str, ...]

# The words of file names, train first so that the items come in the order of Karpathy's file.
WORDS: dict[Split, str] = {"train": "train", "validation": "val", "test": "test"}
_LOST = {"train": "train on", "validation": "choose a model by"}


@dataclass(frozen=True)
class Form:
    """Annotations of one form that were found and not read yet.

    test    the file that names the test split
    trains  whether there is a train split, as Karpathy's own file is taken to have
    read    gives items with relative paths, and notes; raises DatasetError
    """

    test: Path
    trains: bool
    read: Callable[[], tuple[Items, Notes]]


def preferred(forms: Iterable[Form | None]) -> Form | None:
    """The first form with something to train on, else the first that was found."""
    found = [form for form in forms if form is not None]
    return next((form for form in found if form.trains), next(iter(found), None))


def karpathy_file(folder: Path, name: str) -> Form | None:
    """Karpathy's file of all splits under its own name."""
    path = find_file(folder, name)
    return None if path is None else Form(path, True, lambda: (karpathy.parse(path), ()))


def karpathy_copy(folder: Path, name: str) -> Form | None:
    """A file named like Karpathy's, ``dataset_coco_small.json`` for ``dataset_coco.json``.

    Reading it raises DatasetError where there are several.
    """
    copies = find_named_like(folder, name)
    return Form(copies[0], False, lambda: _read_copy(copies, name)) if copies else None


def file_a_split(folder: Path, pattern: str, parse: Callable[[Path, Split], Items]) -> Form | None:
    """A file for each split, ``flickr30k_{}.json``, where at least that of the test split is."""
    paths = {split: find_file(folder, pattern.format(word)) for split, word in WORDS.items()}
    test = paths["test"]
    if test is None:
        return None

    def read() -> tuple[Items, Notes]:
        items = (parse(path, split) for split, path in paths.items() if path is not None)
        notes = tuple(
            missing_split(pattern.format(WORDS[split]), test.name, split)
            for split, path in paths.items()
            if path is None
        )
        return refuse_repeats(tuple(one for part in items for one in part), test), notes

    return Form(test, paths["train"] is not None, read)


def missing_split(expected: str, beside: str, split: Split) -> str:
    """The note on a file that was not found."""
    return f"{expected} was not found beside {beside}: there is nothing to {_LOST[split]}."


def refuse_repeats(items: Items, test: Path) -> Items:
    """The items of several files as they are. Raises DatasetError when two share an id."""
    splits: dict[str, Split] = {}
    for item in items:
        if item.id in splits:
            raise DatasetError(
                f"{test} and the files beside it: {item.id!r} stands in {splits[item.id]} "
                f"and again in {item.split}; get them again"
            )
        splits[item.id] = item.split
    return items


def _read_copy(copies: Sequence[Path], name: str) -> tuple[Items, Notes]:
    if len(copies) > 1:
        raise DatasetError(
            f"There is no {name} but {len(copies)} files named like it: "
            f"{', '.join(map(str, copies))}. Rename the one that you mean to {name}."
        )
    note = f"There is no {name}; {copies[0].name} was read in its place."
    return karpathy.parse(copies[0]), (note,)
