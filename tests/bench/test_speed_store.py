"""Results of the sweep are kept whole: round trips, broken files, two sweeps at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.speed.store import Busy, LeftOutRow, SpeedStore
from tests.bench.speed_results import SPEC, failed_cell, process_run, speed_cell


@pytest.fixture
def store(tmp_path: Path) -> SpeedStore:
    return SpeedStore(tmp_path / "results")


def test_what_is_written_is_read(store: SpeedStore) -> None:
    cell = speed_cell()
    store.write(cell)
    assert store.get(SPEC.key) == cell
    assert store.cells() == [cell]
    store.write(failed_cell(row="other"))
    assert store.get(replace(SPEC, row="other").key) == failed_cell(row="other")


def test_runs_are_kept_by_number(store: SpeedStore) -> None:
    first, second = process_run([1, 2, 3]), process_run([4], offered_qps=0.1)
    store.write_run(SPEC, 1, second)
    store.write_run(SPEC, 0, first)
    assert list(store.runs(SPEC.key).items()) == [(0, first), (1, second)]
    assert store.cells() == []


def test_nothing_is_there_at_first(store: SpeedStore) -> None:
    assert store.get(SPEC.key) is None
    assert store.runs(SPEC.key) == {}
    assert store.cells() == []
    assert store.left_out() == []


def test_cells_come_oldest_first(store: SpeedStore) -> None:
    for row, created in (("a", "2026-03-01"), ("b", "2026-01-01")):
        store.write(replace(speed_cell(row=row), created=created))
    assert [cell.spec.row for cell in store.cells()] == ["b", "a"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _change_a_figure(path: Path) -> None:
    found = json.loads(path.read_text())
    (found.get("run") or found)["completed"] += 1
    path.write_text(json.dumps(found))


def _another_key(path: Path) -> None:
    found = json.loads(path.read_text())
    found["spec"]["k"] += 1
    path.write_text(json.dumps(found))


def _no_object(path: Path) -> None:
    path.write_text("[1]")


@pytest.mark.parametrize("damage", [_cut, _change_a_figure, _another_key, _no_object])
def test_a_broken_file_is_put_aside(
    store: SpeedStore, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    store.write(speed_cell())
    store.write_run(SPEC, 0, process_run())
    store.write_run(SPEC, 1, process_run())
    damage(store.root / SPEC.key / "cell.json")
    damage(store.root / SPEC.key / "run-1.json")
    with caplog.at_level(logging.WARNING):
        assert store.get(SPEC.key) is None
        assert list(store.runs(SPEC.key)) == [0]
    assert "run the sweep again" in caplog.text
    assert len(list((store.root / "quarantine").iterdir())) == 2
    store.write(speed_cell())
    assert store.get(SPEC.key) == speed_cell()


def test_a_run_of_another_result_is_not_taken_for_this(store: SpeedStore) -> None:
    other = replace(SPEC, k=5)
    store.write_run(other, 0, process_run())
    (store.root / other.key).rename(store.root / SPEC.key)
    assert store.runs(SPEC.key) == {}


def test_results_of_another_schema_are_left_alone(
    store: SpeedStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.write(speed_cell())
    path = store.root / SPEC.key / "cell.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 0}))
    assert store.cells() == []
    assert "schema is 0" in caplog.text
    assert path.is_file()


def test_figures_that_are_no_numbers_are_refused(store: SpeedStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.write_run(SPEC, 0, process_run(agreement=float("nan")))
    assert store.runs(SPEC.key) == {}


def test_two_sweeps_at_once_would_slow_each_other(store: SpeedStore) -> None:
    with store.measuring(), pytest.raises(Busy, match="wait until"), store.measuring():
        pass
    with store.measuring():
        pass


def test_what_was_left_out_is_remembered_of_the_last_sweep(store: SpeedStore) -> None:
    store.write_left_out([LeftOutRow("a", "cpu", "auto", 10, "It is too large.")])
    left_out = [LeftOutRow("b", "cpu", "int8", 10, "Nö.")]
    store.write_left_out(left_out)
    assert store.left_out() == left_out
    (store.root / "left_out.json").write_text("{")
    assert store.left_out() == []
