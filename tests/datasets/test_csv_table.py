"""Tables with a header: what is read, and the sentence for what is not."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.base import DatasetError
from datasets.layouts.csv_table import read_table

FIELDS = st.text(st.characters(codec="utf-8"), max_size=12)


def fields(path: Path, content: bytes, *columns: str, encoding: str = "utf-8-sig") -> list[object]:
    path.write_bytes(content)
    return [dict(row.fields) for row in read_table(path, columns, encoding=encoding)]


def test_what_real_files_hold(tmp_path: Path) -> None:
    """A byte-order mark, CR LF, blank lines, quotation marks, commas and lines within a field."""
    content = b'\xef\xbb\xbfa,b\r\n1,"x, ""y"""\r\n\r\n2,"two\nlines"\r\n'
    assert fields(tmp_path / "t.csv", content, "a", "b") == [
        {"a": "1", "b": 'x, "y"'},
        {"a": "2", "b": "two\nlines"},
    ]


def test_other_columns_and_encodings(tmp_path: Path) -> None:
    read = fields(tmp_path / "t.csv", b"x,a\n1,caf\xe9\n", "a", encoding="iso-8859-1")
    assert read == [{"x": "1", "a": "café"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"t\.csv: the header lacks a, b; the file is empty"),
        (b"a,c\n1,2\n", r"line 1: the header lacks b; it names a, c"),
        (b"a,b,a\n", r"line 1: the header names a column twice"),
        (b"a,b\n1,2\n3\n", r"line 3 has 1 fields where the header has 2"),
        (b"a,b\n1,2,3\n", r"line 2 has 3 fields where the header has 2"),
        (b'a,b\n1,"two\nlines"\n3\n', r"line 4 has 1 fields"),
        (b'a,b\n1,"open\n', r"line 2 is not CSV"),
        (b'a,b\n1,"x"y\n', r"line 2 is not CSV"),
        (b"a,b\n1,2\n\xff,3\n", r"line 3 is not UTF-8; the file may be damaged"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", r"line 2 is not CSV: field larger than"),
    ],
)
def test_bad_tables(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        fields(tmp_path / "t.csv", content, "a", "b")


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_table(tmp_path / "none.csv", ("a",)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=8))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([("a", "b"), *rows])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    read = fields(path, stream.getvalue().encode(), "a", "b")
    assert read == [{"a": a, "b": b} for a, b in rows]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    try:
        rows = fields(path, b"a,b\n" + content, "a", "b")
    except DatasetError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(row, dict) and row.keys() == {"a", "b"} for row in rows)
