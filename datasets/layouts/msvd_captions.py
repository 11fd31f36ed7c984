"""Read the captions of MSVD from each of the plain files they are published in.

All are copies of the Microsoft Research Video Description Corpus (Chen and Dolan, Collecting highly
parallel data for paraphrase evaluation, ACL 2011). Every reader returns video id -> captions in the
order of the file, an id being ``{YouTube id}_{first second}_{last second}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from datasets.annotations import clean_text
from datasets.base import DatasetError
from datasets.layouts.csv_table import read_table
from datasets.layouts.json_file import read_object
from datasets.layouts.published_file import read_lines

Captions = Mapping[str, tuple[str, ...]]


def from_json(path: Path) -> Captions:
    """``captions_msvd.json``: ``{id: [caption, ...]}``. Raises DatasetError naming the entry."""
    captions = {}
    for name, texts in read_object(path).items():
        where = f"{path}, {name!r}"
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise DatasetError(f"{where} does not hold a list of captions")
        captions[name] = tuple(clean_text(text, where) for text in texts)
    return captions


def from_descriptions(path: Path) -> Captions:
    """``AllVideoDescriptions.txt``: an id, a space and a caption a line; ``#`` opens a comment.

    Raises DatasetError naming the line.
    """
    lines = ((where, line) for where, line in read_lines(path) if not line.startswith("#"))
    return _gathered((where, *_halves(where, line, " ")) for where, line in lines)


def from_corpus(path: Path) -> Captions:
    """``video_corpus.csv``: the whole corpus with its many languages; the English rows are read.

    Raises DatasetError naming the line.
    """
    rows = read_table(path, ("VideoID", "Start", "End", "Language", "Description"))
    return _gathered(
        (
            row.where,
            "_".join(row.fields[column].strip() for column in ("VideoID", "Start", "End")),
            row.fields["Description"],
        )
        for row in rows
        if row.fields["Language"].strip().lower() == "english"
    )


def from_sentences(paths: Sequence[Path], mapping: Path) -> Captions:
    """``sents_train_lc_nopunc.txt`` and its like: ``vid7``, a tab and a caption a line.

    ``mapping`` is ``youtube_mapping.txt``: an id, a space and ``vid7`` a line. Raises
    DatasetError naming the line.
    """
    ids: dict[str, str] = {}
    for where, line in read_lines(mapping):
        name, number = _halves(where, line, " ")
        if number in ids:
            raise DatasetError(f"{where}: {number!r} stands twice")
        ids[number] = name
    sentences = []
    for path in paths:
        for where, line in read_lines(path):
            number, text = _halves(where, line, "\t")
            if number not in ids:
                raise DatasetError(f"{where}: {number!r} is not in {mapping}")
            sentences.append((where, ids[number], text))
    return _gathered(sentences)


def _halves(where: str, line: str, mark: str) -> tuple[str, str]:
    first, found, second = line.strip().partition(mark)
    if not (first and found and second.strip()):
        between = "a tab" if mark == "\t" else "a space"
        raise DatasetError(f"{where} does not hold two parts with {between} between them")
    return first, second.strip()


def _gathered(lines: Iterable[tuple[str, str, str]]) -> Captions:
    captions: dict[str, list[str]] = {}
    for where, name, text in lines:
        captions.setdefault(name, []).append(clean_text(text, where))
    return {name: tuple(texts) for name, texts in captions.items()}
