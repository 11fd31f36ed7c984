"""Every table of a terminal at 80 columns: nothing is cut, and no number is parted."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from bench import controls_table, terminal
from bench.ablations import terminal as ablation_terminal
from bench.ablations.evidence import evidence
from bench.ablations.runs import Of, Run, RunRow
from bench.ablations.tables import ablation_of
from bench.cells import Measure
from bench.controls import METRICS, Block, Held
from bench.growth import terminal as living_terminal
from bench.growth.summary import LivingRow
from bench.narrow import folded
from bench.speed import terminal as speed_terminal
from bench.speed.store import SpeedStore
from bench.store import ResultStore
from bench.summary import summarise
from tests.bench.results import RETRIEVER, done, frame, reverse_frame
from tests.bench.speed_results import process_run, speed_cell

VARIANT = "cart[model.encoder_layers=5;search.beam=50]"
NAMES = ("languagebind-image", VARIANT, "somebody.package.module:Object")
SEEDS = (0, 1, 2, 10, 11)
WIDE = Measure(1.0, -0.999, 1.0)


def whole(shown: RenderableType) -> str:
    """What 80 columns show, the same as what a wide screen does but for where lines end."""
    narrow, wide = (printed(shown, width) for width in (80, 400))
    assert max(map(len, narrow)) <= 80
    assert "…" not in "".join(narrow)
    figures = [numbers("\n".join(lines)) for lines in (narrow, wide)]
    assert sorted(figures[0]) == sorted(figures[1])
    return "\n".join(narrow)


def printed(shown: RenderableType, width: int) -> list[str]:
    file = io.StringIO()
    Console(width=width, file=file).print(shown)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def numbers(text: str) -> list[str]:
    return re.findall(r"[+\-]?\d[\d.,]*\d|\d", text)


def test_accuracy_in_both_directions(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for name in NAMES:
        for seed in SEEDS:
            retriever = replace(RETRIEVER, name=name, checkpoint={})
            cell = done([1] * 6, retriever=retriever, seed=seed, reverse=[1] * 3)
            store.write(cell, frame([1] * 6), reverse=reverse_frame([1] * 3))
    shown = whole(terminal.results(summarise(store)))
    assert shown.count("100.0–100.0") == 2 * 4 * len(NAMES)
    assert " 0,1,2,\n" in shown and " 10,11\n" in shown
    assert "languagebind-image " in shown
    assert "search.beam=50]" in shown


def test_controls(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(done([1] * 6, retriever=replace(RETRIEVER, name=VARIANT)), frame([1] * 6))
    (row,) = summarise(store)
    above = dict.fromkeys(METRICS, WIDE)
    line = Held("captions, the nearest " * 2, "What it is.", dict.fromkeys(METRICS, 1.0), {}, above)
    assert "-99.9 to +100.0" in whole(controls_table.results([Block(row, (line,))]))


def test_throughput(tmp_path: Path) -> None:
    run = process_run([1_234_567, 1_912_345])
    cells = [
        speed_cell([run], row=name, candidates=10**power) for name in NAMES for power in range(3, 9)
    ]
    shown = whole(speed_terminal.results(cells, SpeedStore(tmp_path).runs))
    assert "100,000,000\n" in shown
    assert "1,235k–1,912k" in shown


def living(name: str) -> LivingRow:
    figures = dict.fromkeys(("R@1", "R@5", "R@10"), WIDE)
    return LivingRow(
        dataset="flickr30k-mini",
        protocol="karpathy-1k",
        synthetic=True,
        retriever=name,
        share=0.1,
        seeds=SEEDS,
        figures={
            stage: {"seen": figures, "added": figures}
            for stage in ("before", "added", "adapted", "whole")
        },
        forgotten=figures,
        behind=figures,
        restored={**figures, "R@1": None},
        items={"seen": 123_456, "added": 12_345},
        queries={"seen": 1_234_567, "added": 123_456},
        seconds={"fit": 1234.5, "index": 0.0123},
        undone=0.98765,
        notes=(),
        results=(),
    )


def test_the_living_corpus() -> None:
    shown = whole(living_terminal.results([living(name) for name in NAMES]))
    assert "-99.9–100.0" in shown


@pytest.mark.parametrize("table", [4, 6, 11])
def test_ablations(tmp_path: Path, table: int) -> None:
    store, rows = ResultStore(tmp_path), []
    rng = np.random.default_rng(0)
    for place, setting in enumerate(ablation_of(table).settings):
        places = rng.integers(0, 11, 40).tolist()
        cell = done(places, retriever=replace(RETRIEVER, name=f"cart[a={place}]"))
        store.write(cell, frame(places))
        name, label = setting.name, setting.label
        rows.append(RunRow(name, label, setting.changes, VARIANT, {"0": cell.spec.key}))
    of = Of("flickr30k-mini", "karpathy-1k", True, "cart", 0.2, {"fit.epochs": "12"})
    run = Run(of, table, "Flickr30K", "", tuple(rows))
    shown = whole(ablation_terminal.table(evidence(run, store)))
    assert "direction" in shown


def test_names_are_parted_where_a_reader_would() -> None:
    assert folded(VARIANT, 18).split("\n") == [
        "cart[model.",
        "encoder_layers=5;",
        "search.beam=50]",
    ]
    assert folded("languagebind:paper", 14) == "languagebind:\npaper"
    assert folded("0,1,2,10,11", 6) == "0,1,2,\n10,11"
    assert folded("fit.rate=1.5e-4", 4) == "fit.\nrate=\n1.5e-4"
    assert folded("short", 18) == "short"
    assert folded("", 3) == ""


PARTS = st.sampled_from(["cart", "[", "]", ";", ":", "a.b", "=", "0.25", "-3", ",", "_", "e"])


@given(st.lists(PARTS).map("".join), st.integers(1, 30))
def test_nothing_is_lost_and_lines_are_short_or_cannot_be_parted(text: str, width: int) -> None:
    lines = folded(text, width).split("\n")
    assert "".join(lines) == text
    assert numbers("\n".join(lines)) == numbers(text) or "," in text
    for line in lines:
        assert len(line) <= width or folded(line, 1) == line
