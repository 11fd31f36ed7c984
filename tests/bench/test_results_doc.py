"""What bench/RESULTS.md says of a results folder, against a stored one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.checkout import CHECKOUT
from bench.inside.record import NAME, Inside, to_bytes
from bench.looks import ATTACHMENT, Looks, looks_to_json
from bench.speed.store import SpeedStore
from bench.store import RANK_COLUMNS, REVERSE_COLUMNS, ResultStore
from tests.bench.results import RETRIEVER, done, frame, reverse_frame
from tests.bench.speed_results import speed_cell

TEXT = (CHECKOUT / "bench" / "RESULTS.md").read_text(encoding="utf-8")
PLACES = {"first": [1, 0, 3, 11, 1, 1], "second": [1, 1, 0, 2, 2, 10]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is worked in, with results of both kinds."""
    store = ResultStore(tmp_path / "results")
    for name, places in PLACES.items():
        found = [place if place <= 10 else 0 for place in places]
        cell = done(found, retriever=replace(RETRIEVER, name=name), reverse=[1, 2, 3])
        looked = {ATTACHMENT: looks_to_json(Looks()), NAME: to_bytes(Inside())}
        store.write(cell, frame(found), reverse=reverse_frame([1, 2, 3]), attachments=looked)
    SpeedStore(tmp_path / "results").write(speed_cell())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_snippets_run_and_find_what_is_stored(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(snippets) == 5
    names: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, "RESULTS.md", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert "first" in printed and "closed-100" in printed

    store = ResultStore(here / "results")
    stored = {cell.spec.key: cell for cell in store.cells()}
    for key, share in names["recall"].items():
        assert share == pytest.approx(stored[key].metrics["R@10"].value)
    by_name = names["done"].set_index("spec.retriever.name")["metrics.R@1.value"]
    assert by_name.to_dict() == {
        cell.spec.retriever.name: cell.metrics["R@1"].value for cell in stored.values()
    }
    assert len(names["answers"]) == 2 * 6 * 2
    assert names["answers"]["rank"].isin([1, 2]).all()
    assert len(names["won"]) == sum(
        mine == 1 and theirs != 1
        for mine, theirs in zip(
            *(PLACES[name] for name in names["done"]["spec.retriever.name"]), strict=True
        )
    )
    speed = names["speed"]["throughput.value"]
    (told,) = SpeedStore(here / "results").cells()
    assert told.throughput is not None and list(speed) == [told.throughput.value]


def test_the_columns_are_those_that_are_stored(here: Path) -> None:
    listed = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    assert listed == list(RANK_COLUMNS)
    assert set(RANK_COLUMNS) - set(REVERSE_COLUMNS) == {"text"}
    for path in here.glob("results/*/ranks.parquet"):
        assert list(pd.read_parquet(path).columns) == listed


def test_the_files_are_those_that_are_stored(here: Path) -> None:
    told = {name.partition("/")[2] for name in re.findall(r"^\| `(<key>/.*?)` \|", TEXT, re.M)}
    (folder, *_) = [path.parent for path in here.glob("results/*/ranks.parquet")]
    assert {path.name for path in folder.iterdir()} == told
    for name in re.findall(r"\((schemas/.*?\.json)\)", TEXT):
        assert (CHECKOUT / "bench" / name).is_file()
