"""The sweep's results in a terminal of 80 columns, and its figures in words."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from bench.cells import Measure
from bench.speed import terminal
from bench.speed.cells import ProcessRun, SpeedCell
from bench.speed.progress import Pace
from bench.speed.store import LeftOutRow, SpeedStore
from bench.speed.wording import bounds, clock, figure, times
from tests.bench.speed_results import failed_cell, process_run, speed_cell

NOISY = [process_run([98, 100, 102]), process_run([99, 101, 103])]
AT_THIRD = [process_run([30, 33, 36]), process_run([31, 33, 35])]


def printed(shown: RenderableType) -> list[str]:
    file = io.StringIO()
    Console(width=80, file=file).print(shown)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def told(
    store: SpeedStore, cells: Mapping[str, Sequence[ProcessRun]], *others: SpeedCell
) -> tuple[list[str], str]:
    """Lines, and all of it in one."""
    made = [speed_cell(runs, row=row) for row, runs in cells.items()]
    for cell, runs in zip(made, cells.values(), strict=True):
        for number, run in enumerate(runs):
            store.write_run(cell.spec, number, run)
    lines = printed(terminal.results([*made, *others], store.runs))
    return lines, " ".join(" ".join(lines).split())


@pytest.fixture
def store(tmp_path: Path) -> SpeedStore:
    return SpeedStore(tmp_path)


def test_a_row_with_its_figures(store: SpeedStore) -> None:
    lines, words = told(store, {"cart": NOISY})
    assert max(map(len, lines)) <= 80
    assert "closed-100 on cpu, 2 threads: 1,000 candidates" in words
    (first,) = (line.split() for line in lines if line.split()[:1] == ["cart"])
    assert first == ["cart", "100", "20", "encode", "4.98", "4", "8", "1.00"]
    assert "Weights of cart: random." in words
    assert "cart: recall@10 0.96" in words


def test_ratios_beyond_what_a_repetition_shows(store: SpeedStore) -> None:
    _, words = told(
        store,
        {"cart": NOISY, "clip:paper": AT_THIRD, "clip:best": NOISY, "cart (again)": NOISY},
    )
    assert "cart once more is 1.00x" in words
    assert "cart is 3.05x" in words
    assert "clip:paper" in words
    assert "cart and clip:best cannot be told apart: 1.00x" in words
    assert "cart (again)" not in words.partition("with 95 % intervals")[2]


def test_a_repetition_that_differs_forbids_what_is_smaller(store: SpeedStore) -> None:
    slower = [process_run([80, 80, 80])] * 2
    _, words = told(store, {"cart": NOISY, "b": slower, "cart (again)": slower})
    assert "cart and b cannot be told apart: 1.26x" in words


def test_a_row_that_does_nothing_is_compared_with_none(store: SpeedStore) -> None:
    _, words = told(store, {"null": NOISY, "b": AT_THIRD, "c": NOISY})
    ratios = words.partition("with 95 % intervals")[2]
    assert "b is 0.33x" in ratios and "null" not in ratios.partition("Weights")[0]


def test_marks_and_failures(store: SpeedStore) -> None:
    partial = [process_run([100, 50, 10], part=0.5, steady=False)]
    lines, words = told(
        store, {"internvl-g:scan": partial}, failed_cell(row="b"), failed_cell(row="[c]")
    )
    assert max(map(len, lines)) <= 80
    assert "internvl-g:" in words
    assert "extrapolated" in words
    assert "unstable" in words
    assert "b failed: It broke." in words
    assert "[c] failed: It broke." in words


def test_sizes_stand_side_by_side(store: SpeedStore) -> None:
    cells = [speed_cell(NOISY, candidates=size) for size in (1000, 10**6)]
    lines = printed(terminal.results(cells, store.runs))
    assert any(line.split() == ["row", "1,000", "1,000,000"] for line in lines)


def test_a_row_of_hours_fits(store: SpeedStore) -> None:
    slow = replace(process_run([1e-7, 1.2e-7]), latencies_ms=(1.01e10, 1.02e10))
    slow = replace(slow, seconds={"score": 1e7}, memory={"gallery_bytes": 4 * 10**12})
    lines, words = told(store, {"blip2:scan": [slow, slow]})
    assert max(map(len, lines)) <= 80
    assert "agrees" in words and "10,100M" in words


def test_wide_figures_fit(store: SpeedStore) -> None:
    runs = [process_run([123_456, 191_234], facts={"queries/s with p95 within 50 ms": 1234.5})]
    wide = replace(runs[0], seconds={"tokenise": 0.01, "encode": 1.0, "front end": 0.5})
    lines, words = told(store, {"languagebind:paper": [wide, wide]})
    assert max(map(len, lines)) <= 80
    assert "123k–191k" in words
    assert any(line.split()[:2] == ["languagebind:", "157,345"] for line in lines)
    assert "queries/s with p95 within 50 ms 1,234" in words


def test_nothing_to_show(store: SpeedStore) -> None:
    assert printed(terminal.results([], store.runs)) == []


def test_what_was_left_out_is_told_once_a_reason() -> None:
    rows = [LeftOutRow("a", "cpu", "auto", size, "Too large.") for size in (1000, 10**6)]
    assert printed(terminal.left_out(rows)) == ["Left out: a of 1,000, 1,000,000. Too large."]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1e-5, "1e-05"),
        (2.34e-6, "2.3e-06"),
        (0.00123, "0.00123"),
        (4.567, "4.57"),
        (99.99, "100"),
        (123.4, "123"),
        (45678.9, "45,679"),
    ],
)
def test_figures(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_words() -> None:
    assert bounds(Measure(1, 0.5, 1500)) == "0.5–1,500"
    assert bounds(Measure(1, 90_000, 120_000)) == "90k–120k"
    assert times(Measure(12.34, 1.234, 123.4)) == "12.3x (1.23–123)"
    assert (clock(59.6), clock(61), clock(3725)) == ("1:00", "1:01", "1:02:05")


def test_what_is_left_follows_what_was_seen() -> None:
    assert Pace().left(100) == 100
    twice_as_long = Pace(estimated=600, seen=1200)
    assert 180 < twice_as_long.left(100) < 200
