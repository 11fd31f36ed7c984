"""The page of one comparison: the document's figures, and nothing that runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from bench.comparing.document import document
from bench.comparing.outcome import comparison
from bench.comparing.sides import folder
from bench.store import ResultStore
from reports.compare_page import main, write
from reports.page import ReportError
from tests.reports.page_reading import Element, assert_inert, parse
from tests.reports.stored_results import Plan, store_failure, store_result
from tests.reports.stored_sweep import store_row

BAD = "<script>alert('x')</script>\" onload=\"x\u202e{{ 7 * 7 }}"


def compared(folders: Path, name: str = "cart") -> dict[str, Any]:
    """A row that became worse, one that is lost, one that failed, and a slower sweep."""
    before, after = folders / "a", folders / "b"
    for side, skill in ((before, 0.8), (after, 0.4)):
        plan = Plan(name, dataset=name, protocol=name, skill=skill, items=60, synthetic=True)
        store_result(ResultStore(side), plan)
        store_row(side, name, (100, 101, 99) if side == before else (50, 51, 49))
    store_result(ResultStore(before), Plan("gone", items=6))
    store_result(ResultStore(before), Plan("breaks", items=6))
    store_failure(ResultStore(after), Plan("breaks", items=6), f"It broke. {name}")
    return document(comparison(folder(before), folder(after), ("R@1",), 0.0, with_speed=True))


def page_of(told: dict[str, Any], at: Path) -> Element:
    return parse(write(told, at / "compare.html").read_text(encoding="utf-8"))


def test_the_page_has_the_documents_figures(tmp_path: Path) -> None:
    told = compared(tmp_path)
    page = page_of(told, tmp_path)
    assert_inert(page)
    shown = [float(data.attributes["value"]) for data in page.all("data")]
    changes = [change for row in told["rows"] for change in row["changes"]]
    assert shown == [
        *(change["difference"]["value"] for change in changes),
        *(point["times"]["value"] for point in told["speed"] if point["times"]),
    ]
    verdicts = {cell.words for cell in page.all("td", class_="bad")}
    assert verdicts == {"regression", "lost", "failed in B", "slower"}
    assert all(sentence in page.words for sentence in told["summary"])
    assert "synthetic twin" in page.words


def test_hostile_names_are_inert(tmp_path: Path) -> None:
    told = compared(tmp_path, BAD)
    page = page_of(told, tmp_path)
    assert_inert(page)
    assert "<script>alert('x')</script>\" onload=\"x\\u{202e}{{ 7 * 7 }}" in page.words
    assert "49" not in page.all("h1")[0].words


def test_the_program_reads_a_document_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.html"
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(compared(tmp_path))))
    assert main(["--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("not json"))
    assert main(["--output", str(output)]) == 1
    assert "not a JSON document" in capsys.readouterr().err


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="schema is 99"):
        write({**compared(tmp_path), "schema": 99}, tmp_path / "page.html")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    told = compared(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReportError, match="could not be written"):
        write(told, tmp_path / "file" / "page.html")
