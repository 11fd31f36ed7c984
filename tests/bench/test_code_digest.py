"""What changes a result's code digest, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.code_digest import code_digest, source_digest, tree_digest
from tests.bench.processes import python

SOURCE = """
def area(width: int, height: int) -> int:
    return width * height
"""


@pytest.mark.parametrize(
    "same",
    [
        SOURCE + "\n# a comment\n",
        "def area(width: int, height: int) -> int: return (width\n    * height)",
        '"""A module."""\ndef area(width: int, height: int) -> int:\n    """Area."""\n'
        "    return width * height",
    ],
)
def test_wording_and_layout_change_nothing(same: str) -> None:
    assert source_digest(same) == source_digest(SOURCE)


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace("*", "+"),
        SOURCE.replace("width", "breadth"),
        SOURCE + "\narea(1, 2)\n",
        SOURCE.replace("return", "'not a docstring, a value'; return").replace("int:", "int:", 1)
        + "LIMIT = 'text'\n",
    ],
)
def test_meaning_does(other: str) -> None:
    assert source_digest(other) != source_digest(SOURCE)


def test_a_tree_is_named_by_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "cart"
    folder.mkdir()
    (folder / "a.py").write_text(SOURCE)
    (folder / "notes.md").write_text("one")
    before = tree_digest(tmp_path, ["cart", "absent"])
    (folder / "notes.md").write_text("two")
    assert tree_digest(tmp_path, ["cart"]) == before
    (folder / "a.py").rename(folder / "b.py")
    assert tree_digest(tmp_path, ["cart"]) != before


def test_a_retriever_from_elsewhere_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    first = code_digest("elsewhere:area")
    (tmp_path / "elsewhere.py").write_text(SOURCE.replace("*", "+"))
    assert len({code_digest(), first, code_digest("elsewhere:area")}) == 3
    assert code_digest("retrievers.registry:names") == code_digest()


def test_another_process_finds_the_same() -> None:
    line = "from bench.code_digest import code_digest; print(code_digest())"
    found = python(line)
    assert found.stdout.strip() == code_digest()
