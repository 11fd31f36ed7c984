"""Queries a second of two sides: told apart only beyond what either side shows of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.comparing.sides import folder, revisions
from bench.comparing.speed import SpeedCompared, compare_speed
from bench.speed.pooling import claimable, ratio
from bench.speed.store import SpeedStore
from tests.reports.stored_sweep import store_failed_row, store_row

BASE, SLOWER = (100, 102, 98), (80, 82, 78)


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return tmp_path / "a"


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return tmp_path / "b"


def put(results: Path, row: str = "cart", rates: Sequence[int] = BASE, **spec: Any) -> str:
    return store_row(results, row, rates, **spec).spec.key


def of(a: Path, b: Path) -> dict[str, SpeedCompared]:
    return {one.row: one for one in compare_speed(folder(a), folder(b))}


def test_the_ratio_is_the_sweeps_own(a: Path, b: Path) -> None:
    keys = put(a), put(b, rates=SLOWER)
    first, second = (
        list(SpeedStore(side).runs(key).values()) for side, key in zip((a, b), keys, strict=True)
    )
    found = of(a, b)["cart"]
    assert found.times == ratio(second, first)
    assert (found.verdict, found.least) == ("slower", None)
    assert of(b, a)["cart"].verdict == "faster"


def test_less_than_a_repetition_shows_is_not_claimed(a: Path, b: Path) -> None:
    for side, rates in ((a, BASE), (b, SLOWER)):
        put(side, rates=rates)
        put(side, "quick", rates)
    put(a, "cart (again)", (70, 72, 68))
    found = of(a, b)
    assert {one.verdict for one in found.values()} == {"not told apart"}
    assert "cart (again)" not in found


def test_the_worse_repetition_of_both_sides_counts(a: Path, b: Path) -> None:
    keys = {}
    for side, again in ((a, (99, 100, 101)), (b, (90, 92, 88))):
        keys[side] = put(side), put(side, "cart (again)", again)
    runs = {
        side: [list(SpeedStore(side).runs(key).values()) for key in pair]
        for side, pair in keys.items()
    }
    worst = max(claimable(ratio(again, first)) for first, again in runs.values())
    assert of(a, b)["cart"].least == pytest.approx(worst)


def test_a_repetition_in_another_scenario_says_nothing(a: Path, b: Path) -> None:
    for side, rates in ((a, BASE), (b, SLOWER)):
        put(side, rates=rates)
    put(a, scenario="batch-100")
    put(a, "cart (again)", (50, 51, 49), scenario="batch-100")
    found = [one for one in compare_speed(folder(a), folder(b)) if one.scenario == "closed-100"]
    assert [(one.verdict, one.least) for one in found] == [("slower", None)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"host": "h2"}, "the machines differ"),
        ({"threads": 8}, "the numbers of threads differ"),
        ({"load": {"outstanding": 5}}, "the load's settings differ"),
        ({"dim": 8}, "the vectors' dimensions differ"),
        ({"k": 5}, "the numbers of items asked for differ"),
    ],
)
def test_what_was_not_measured_alike_is_not_compared(
    a: Path, b: Path, change: dict[str, Any], told: str
) -> None:
    put(a)
    put(b, rates=SLOWER, **change)
    found = of(a, b)["cart"]
    assert (found.verdict, found.times) == ("not comparable", None)
    assert told in found.reason


def test_points_that_one_side_lacks_or_that_failed(a: Path, b: Path) -> None:
    for row in ("gone", "breaks"):
        put(a, row)
    for row in ("come", "mended"):
        put(b, row)
    store_failed_row(a, "mended", "It broke.")
    store_failed_row(b, "breaks", "It was killed.")
    for side in (a, b):
        store_failed_row(side, "broken", "Always.")
    found = of(a, b)
    assert {row: one.verdict for row, one in found.items()} == {
        "gone": "lost",
        "breaks": "failed in B",
        "come": "new",
        "mended": "new",
        "broken": "not comparable",
    }
    assert found["breaks"].reason == "It was killed."


def test_processes_that_cannot_be_read_are_told(a: Path, b: Path) -> None:
    key = put(a)
    put(b)
    for path in (a / "throughput" / key).glob("run-*.json"):
        path.unlink()
    assert "no longer be read" in of(a, b)["cart"].reason


def test_the_row_that_does_nothing_is_not_compared(a: Path, b: Path) -> None:
    for side in (a, b):
        put(side, "null")
        put(side)
    assert set(of(a, b)) == {"cart"}


def test_the_newest_of_several_results_counts(a: Path, b: Path) -> None:
    store_row(a, "cart", SLOWER, told={"created": "2026-01-01"}, code="old")
    store_row(a, "cart", BASE, told={"created": "2026-01-02"}, code="new")
    put(b)
    found = of(a, b)["cart"]
    assert found.before and found.before.value == pytest.approx(100)


def test_what_a_revision_did_not_measure_again_is_not_lost(a: Path) -> None:
    store_row(a, "cart", told={"revision": "aaaaaaa"}, code="1")
    store_row(a, "cart", SLOWER, told={"revision": "bbbbbbb"}, code="2")
    store_row(a, "other", told={"revision": "aaaaaaa"})
    before, after = revisions(a, ("aaa", "bbb"))
    (found,) = compare_speed(before, after)
    assert (found.row, found.verdict) == ("cart", "slower")
