"""From the questions of a dataset to a row of imported results, as a user goes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import bench.accuracy
from bench.accuracy import app
from bench.cells import Cell
from bench.selection import UsageError, parse_imports
from bench.store import ResultStore
from datasets.__main__ import app as datasets_app

CAPTIONS = ("a red disc", 'a "blue" square, small', "=1+1", "two lines\nof text", "žluťoučký kůň")


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.accuracy, "write_report", lambda *_: True)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Five items whose files are not there."""
    path = tmp_path / "mine.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("id", "path", "caption", "split"))
        lines.writerows(
            (f"i{row}", f"{row}.jpg", text, "test") for row, text in enumerate(CAPTIONS)
        )
    return path


def asked(manifest: Path, folder: Path) -> None:
    words = ["questions", "--manifest", str(manifest), "--output", str(folder)]
    ended = CliRunner().invoke(datasets_app, words)
    assert ended.exit_code == 0, ended.output
    assert "5 items, 5 queries" in ended.output


def measured(tmp_path: Path, *words: str) -> tuple[int, str, dict[str, Cell]]:
    results = tmp_path / "results"
    places = ["--results", str(results), "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    ended = CliRunner().invoke(app, [*words, *places])
    cells = {cell.spec.retriever.name: cell for cell in ResultStore(results).cells()}
    return ended.exit_code, " ".join(ended.output.split()), cells


def test_scores_from_elsewhere_become_a_row(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "theirs"
    asked(manifest, folder)
    scores = np.eye(5, dtype=np.float32)
    scores[3, 3], scores[3, 0] = 0.1, 0.9
    np.save(folder / "scores.npy", scores)
    status, shown, cells = measured(
        tmp_path,
        *("--manifest", str(manifest), "--annotations-only"),
        *("--imported", f"clip={folder},my-own={folder}"),
    )
    assert status == 0, shown
    assert set(cells) == {"clip", "my-own"}
    for cell in cells.values():
        assert cell.metrics["R@1"].value == pytest.approx(0.8)
        assert cell.metrics["R@5"].value == 1
        assert cell.reverse["R@1"].value == 1
        assert cell.spec.retriever.weights == "imported"
        assert any("No media file was looked for" in note for note in cell.notes)
    assert "--imported" not in cells["my-own"].command
    again = cells["my-own"].command.split()[3:]
    status, shown, _ = measured(tmp_path, *again)
    assert status == 0, shown
    assert "1 of 1 cells were stored already" in shown


def test_only_imported_rows_run_without_media(tmp_path: Path, manifest: Path) -> None:
    words = ("--manifest", str(manifest), "--annotations-only", "--retriever", "tiny-dual")
    status, shown, cells = measured(tmp_path, *words)
    assert (status, cells) == (2, {})
    assert "Only imported results can be measured with --annotations-only." in shown


def test_an_import_that_lacks_an_item_fails_with_a_sentence(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "theirs"
    asked(manifest, folder)
    lines = (folder / "items.csv").read_text(encoding="utf-8").replace("i3", "another")
    (folder / "items.csv").write_text(lines, encoding="utf-8")
    np.save(folder / "scores.npy", np.eye(5, dtype=np.float32))
    words = ("--manifest", str(manifest), "--annotations-only", "--imported", f"clip={folder}")
    status, _, cells = measured(tmp_path, *words)
    assert status == 1
    assert "holds nothing for 1 of 5 items, e.g. 'i3'" in cells["clip"].reason


def test_imports_are_named_with_their_folder() -> None:
    assert parse_imports("clip=/a b,my.own=c") == {
        "clip@imported": "/a b",
        "my.own@imported": "c",
    }
    for text in ("clip", "clip=", "=folder", "a b=folder", "../x=folder"):
        with pytest.raises(UsageError, match="NAME=FOLDER"):
            parse_imports(text)


@pytest.mark.real_data
def test_stored_clip_vectors_of_500_pairs_of_coco_find_what_they_are_known_to(
    tmp_path: Path,
) -> None:
    data = os.environ.get("RETRIEVAL_TEST_DATA")
    if not data:
        pytest.skip("RETRIEVAL_TEST_DATA names no folder of real data")
    source = Path(data) / "features_modality_gap"
    with (source / "features_clip_pairs_DERIVED.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    manifest = tmp_path / "pairs.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("id", "path", "caption", "split"))
        lines.writerows(
            (each["image_id"], each["file_name"], each["caption"], "test") for each in pairs
        )
    folder = tmp_path / "theirs"
    words = ["questions", "--manifest", str(manifest), "--output", str(folder)]
    assert CliRunner().invoke(datasets_app, words).exit_code == 0
    images, texts = np.load(source / "features_clip.npy", allow_pickle=False)
    np.save(folder / "items.npy", images)
    np.save(folder / "queries.npy", texts)
    words = ["--manifest", str(manifest), "--annotations-only", "--imported", f"clip={folder}"]
    status, shown, cells = measured(tmp_path, *words)
    assert status == 0, shown
    found = {name: round(100 * each.value, 1) for name, each in cells["clip"].metrics.items()}
    assert (found["R@1"], found["R@5"], found["R@10"]) == (50.6, 76.6, 86.2)
