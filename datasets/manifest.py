"""Read a user's own data: a CSV or JSONL file with id, path, caption and, if wished, split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.annotations import (
    Annotated,
    AnnotatedItem,
    Caption,
    Split,
    clean_text,
    own_protocol,
)
from datasets.base import DatasetError, Modality
from datasets.layouts.csv_table import csv_lines
from datasets.layouts.json_file import object_line
from datasets.media.files import EXTENSIONS, modality_of
from datasets.seeded_split import drawn_order

COLUMNS = ("id", "path", "caption", "split")
SPLITS: dict[str, Split] = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
SPLIT_SEED = 0
SMALLEST_DRAWN = 5

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class _Row:
    """One line as it was written; ``fields`` may hold columns of the user's own."""

    where: str
    fields: dict[str, object]


@dataclass
class _Item:
    """What the lines read so far say of one item."""

    first: str
    path: Path
    modality: Modality
    split: Split | None
    captions: list[str]


def parse(path: Path) -> Annotated:
    """The items of a manifest, in the order of their first lines.

    Several captions of an item are several lines or, in JSONL, a list. Relative paths are
    relative to the manifest. Without splits, one is drawn with seed 0: 20 % of the items test,
    10 % of the rest validation (both rounded down), the rest train; the protocol's name says so.

    No media file is touched. Raises DatasetError naming the line.
    """
    items: dict[str, _Item] = {}
    ignored: set[str] = set()
    for row in _rows(path):
        _add(items, row, path.absolute().parent)
        ignored.update(row.fields.keys() - set(COLUMNS))
    if not items:
        raise DatasetError(f"{path} lists no item; each line needs id, path and caption")
    _refuse_mixed(items)
    annotated = _with_splits(path, items)
    if not ignored:
        return annotated
    note = f"Columns of the manifest that are not read: {', '.join(sorted(ignored))}."
    return replace(annotated, notes=(*annotated.notes, note))


def _refuse_mixed(items: dict[str, _Item]) -> None:
    first = next(iter(items.values()))
    for item in items.values():
        if item.modality != first.modality:
            raise DatasetError(
                f"{item.first}: {item.path.name} is {item.modality} while {first.path.name} is "
                f"{first.modality}; give each kind of media a manifest of its own"
            )


def _with_splits(path: Path, items: dict[str, _Item]) -> Annotated:
    without = [item for item in items.values() if item.split is None]
    if not without:
        read = {name: item.split for name, item in items.items() if item.split is not None}
        if "test" not in read.values():
            raise DatasetError(f"{path}: no line has split 'test', so there is nothing to search")
        return _annotated("own-split", items, read, ())
    if len(without) < len(items):
        raise DatasetError(
            f"{without[0].first} has no split while other lines have one; "
            "give every item a split, or none"
        )
    drawn = _draw(path, items)
    note = f"The manifest has no split; one was drawn with seed {SPLIT_SEED}."
    return _annotated(f"seeded-split-{SPLIT_SEED}", items, drawn, (note,))


def _draw(path: Path, items: dict[str, _Item]) -> dict[str, Split]:
    if len(items) < SMALLEST_DRAWN:
        raise DatasetError(
            f"{path} lists {len(items)} items, too few to draw a split from "
            f"({SMALLEST_DRAWN} are needed); add a column 'split' with train, validation or test"
        )
    order = drawn_order(items, SPLIT_SEED)
    test = len(order) // 5
    validation = test + (len(order) - test) // 10
    return {
        name: "test" if place < test else "validation" if place < validation else "train"
        for place, name in enumerate(order)
    }


def _annotated(
    protocol: str, items: dict[str, _Item], splits: dict[str, Split], notes: tuple[str, ...]
) -> Annotated:
    made = tuple(
        AnnotatedItem(
            name,
            splits[name],
            item.path,
            tuple(Caption(f"{name}#{j}", text) for j, text in enumerate(item.captions)),
            item.modality,
        )
        for name, item in items.items()
    )
    return Annotated(own_protocol(protocol, made, None), made, notes)


def _add(items: dict[str, _Item], row: _Row, folder: Path) -> None:
    name = _text(row, "id")
    path, modality = _media(row, folder)
    split = _split(row)
    captions = _captions(row)
    known = items.setdefault(name, _Item(row.where, path, modality, split, []))
    if known.path != path:
        raise DatasetError(
            f"{row.where}: id {name!r} has path {str(path)!r}, but {str(known.path)!r} at "
            f"{known.first}; give each file an id of its own"
        )
    if known.split != split:
        raise DatasetError(
            f"{row.where}: id {name!r} has split {split or 'none'}, but {known.split or 'none'} "
            f"at {known.first}; an item belongs to one split"
        )
    known.captions.extend(captions)


def _text(row: _Row, column: str) -> str:
    value = row.fields.get(column)
    if isinstance(value, int) and not isinstance(value, bool) and column == "id":
        value = str(value)
    if not isinstance(value, str):
        raise DatasetError(f"{row.where}: {column!r} is missing or not text")
    cleaned = clean_text(value, f"{row.where}, {column}")
    if not cleaned:
        raise DatasetError(f"{row.where}: {column!r} is empty")
    # A path must name the file byte for byte, so it is checked but not normalised.
    return value if column == "path" else cleaned


def _captions(row: _Row) -> tuple[str, ...]:
    value = row.fields.get("caption")
    if not isinstance(value, list):
        return (_text(row, "caption"),)
    if not value:
        raise DatasetError(f"{row.where}: the list 'caption' is empty")
    return tuple(_text(_Row(row.where, {"caption": one}), "caption") for one in value)


def _split(row: _Row) -> Split | None:
    value = row.fields.get("split")
    if value is None or value == "":
        return None
    known = SPLITS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise DatasetError(
            f"{row.where}: split {value!r} is not known; write train, validation (or val) or test"
        )
    return known


def _media(row: _Row, folder: Path) -> tuple[Path, Modality]:
    text = _text(row, "path")
    if _URL.match(text):
        raise DatasetError(f"{row.where}: {text!r} is an address; fetch it and name the file")
    path = folder / text
    modality = modality_of(path)
    if modality is None:
        readable = " ".join(end for ends in EXTENSIONS.values() for end in ends)
        raise DatasetError(
            f"{row.where}: {text!r} has the unknown extension {path.suffix!r}; "
            f"what can be read is {readable}"
        )
    return path, modality


def _rows(path: Path) -> Iterator[_Row]:
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{path}: a manifest is a .csv or a .jsonl file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path}, line {line} is not UTF-8; save the file as UTF-8") from error
    return reader(path, text)


def _csv_rows(path: Path, text: str) -> Iterator[_Row]:
    header: list[str] = []
    for where, fields in csv_lines(path, text):
        if not header:
            header = _header(fields, where)
        elif len(fields) != len(header):
            raise DatasetError(
                f"{where} has {len(fields)} fields where the header has {len(header)}; "
                "put a caption that holds a comma in double quotes"
            )
        else:
            yield _Row(where, dict(zip(header, fields, strict=True)))


def _header(fields: list[str], where: str) -> list[str]:
    header = [field.strip().lower() for field in fields]
    missing = [column for column in COLUMNS[:3] if column not in header]
    if missing:
        raise DatasetError(
            f"{where}: the header lacks {', '.join(missing)}; the first line must name the "
            "columns id, path, caption and, if there is one, split"
        )
    if len(set(header)) < len(header):
        raise DatasetError(f"{where}: the header names a column twice")
    return header


def _jsonl_rows(path: Path, text: str) -> Iterator[_Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        yield _Row(where, object_line(where, line))
