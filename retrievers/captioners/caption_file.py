"""Captions that another program made: a CSV or JSONL file with id and caption."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cart.captions import Captioned, Generated
from datasets.annotations import clean_text
from datasets.base import DatasetError, Item, Pairs
from datasets.layouts.csv_table import read_table
from datasets.layouts.json_file import object_line
from datasets.layouts.published_file import read_lines
from retrievers.base import Availability, FloatArray, WeightsAbsent
from retrievers.captioners.contract import Captioner, Source

COLUMNS = ("id", "caption")
_JSON = (".jsonl", ".ndjson")


class CaptionFile:
    """Says of each item what a file says of its id, the first captions of the file first.

    An item of which the file says nothing has no caption, and ids that no item has are passed
    over; how many there are is told. Whose captions they are cannot be seen here: the harness
    asks whether they are those of people (``bench.caption_check``).
    """

    def __init__(self, source: Source, said: Mapping[str, Sequence[str]], most: int) -> None:
        self._source, self._said, self._most = source, said, most
        self._trained: set[str] = set()
        self._asked: dict[str, None] = {}

    @property
    def source(self) -> Source:
        return self._source

    @property
    def remarks(self) -> Sequence[str]:
        """How many items have no caption there, and how many of its ids no item has."""
        silent = [one for one in self._asked if one not in self._said]
        strange = [one for one in self._said if one not in self._asked and one not in self._trained]
        told = []
        if silent:
            told.append(
                f"{self._source.name} says nothing of {len(silent):,} of the "
                f"{len(self._asked):,} items to caption, e.g. {silent[0]!r}."
            )
        if strange:
            told.append(
                f"{len(strange):,} of the {len(self._said):,} ids in {self._source.name} are of "
                f"no item here, e.g. {strange[0]!r}."
            )
        return told

    def fit(self, train: Pairs, captioned: Captioned) -> Mapping[str, float]:
        self._trained = {item.id for item in train.items}
        return {}

    def captions(self, items: Sequence[Item], embeddings: FloatArray) -> Generated:
        self._asked |= dict.fromkeys(item.id for item in items)
        said = [list(self._said.get(item.id, ()))[: self._most] for item in items]
        return Generated(said, self._source.name, seen=True)


@dataclass(frozen=True)
class CaptionFileAdapter:
    """``most`` captions of an item are taken at most."""

    path: Path
    most: int

    def availability(self) -> Availability:
        if self.path.is_file():
            return Availability(True, f"captions are read from {self.path}")
        return Availability(False, self._absent())

    def describe(self) -> Source:
        """Raises WeightsAbsent where there is no such file."""
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
        except OSError as error:
            raise WeightsAbsent(self._absent()) from error
        name = f"the file {self.path.name}"
        return Source(name, digest.hexdigest(), options={"most": self.most}, outside=True)

    def build(self) -> Captioner:
        """Raises WeightsAbsent, and DatasetError naming the line that cannot be used."""
        return CaptionFile(self.describe(), read_captions(self.path), self.most)

    def _absent(self) -> str:
        return (
            f"There is no file of captions {str(self.path)!r} that can be read. Write "
            "cart.captioner=file:PATH with a CSV or JSONL file that has id and caption."
        )


def read_captions(path: Path) -> dict[str, list[str]]:
    """id -> its captions in the order of the file, each once.

    Several captions of an item are several rows or, in JSONL, a list. Raises DatasetError for a
    file that holds none, is neither CSV nor JSONL, or has a row without an id or a caption.
    """
    said: dict[str, dict[str, None]] = {}
    for where, row in _rows(path):
        texts = row.get("caption")
        for text in texts if isinstance(texts, list) else [texts]:
            caption = _text(text, "caption", where)
            said.setdefault(_text(row.get("id"), "id", where), {})[caption] = None
    if not said:
        raise DatasetError(f"{path} holds no caption; each row needs id and caption")
    return {name: list(texts) for name, texts in said.items()}


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    if path.suffix.lower() == ".csv":
        for row in read_table(path, COLUMNS):
            yield row.where, row.fields
        return
    if path.suffix.lower() not in _JSON:
        raise DatasetError(f"{path}: a file of captions is a .csv or a .jsonl file")
    for where, line in read_lines(path):
        yield where, object_line(where, line)


def _text(value: object, column: str, where: str) -> str:
    if column == "id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise DatasetError(f"{where}: {column!r} is missing or not text")
    cleaned = clean_text(value, f"{where}, {column}")
    if not cleaned:
        raise DatasetError(f"{where}: {column!r} is empty")
    return cleaned
