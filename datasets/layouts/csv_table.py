"""Read a CSV file with a header, every row with the line it stands at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.base import DatasetError
from datasets.layouts.published_file import read_content


@dataclass(frozen=True)
class Row:
    """One row: ``where`` it stands, for messages, and its fields by the header's names."""

    where: str
    fields: Mapping[str, str]


def read_table(path: Path, columns: Sequence[str], *, encoding: str = "utf-8-sig") -> Iterator[Row]:
    """The rows of a CSV file (RFC 4180; LF or CR LF) whose header holds at least ``columns``.

    Blank lines are passed over, and so is a byte-order mark. Raises DatasetError naming the
    file and, where there is one, the line: a file that cannot be read or decoded, a header
    without the columns, a row with more or fewer fields than the header, a broken quotation.
    """
    content = read_content(path)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{path}, line {line} is not {encoding.removesuffix('-sig').upper()}; "
            "the file may be damaged, get it again"
        ) from error
    return _rows(path, text, columns)


def _rows(path: Path, text: str, columns: Sequence[str]) -> Iterator[Row]:
    lines = csv_lines(path, text)
    where, header = next(lines, (str(path), []))
    _check_header(where, header, columns)
    for where, fields in lines:
        if len(fields) != len(header):
            raise DatasetError(
                f"{where} has {len(fields)} fields where the header has {len(header)}; "
                "the file may be damaged, get it again"
            )
        yield Row(where, dict(zip(header, fields, strict=True)))


def csv_lines(path: Path, text: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of CSV that are not blank, each behind the place it stands at.

    Raises DatasetError naming the line for a broken quotation.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(f"{where} is not CSV: {error}") from error
        if fields:
            yield where, fields


def _check_header(where: str, header: list[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        found = f"it names {', '.join(header)}" if header else "the file is empty"
        raise DatasetError(f"{where}: the header lacks {', '.join(missing)}; {found}")
    if len(set(header)) < len(header):
        raise DatasetError(f"{where}: the header names a column twice")
