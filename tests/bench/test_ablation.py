"""Whole runs of python -m bench.ablation with a toy whose settings change what it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import bench.ablation
from bench.ablation import app
from bench.ablations.runs import RunStore
from bench.item_map import read
from bench.store import ResultStore

Run = Callable[..., Result]
TOY = "tests.bench.ablation_toys:TUNABLE"


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def run(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command without the report, which takes a process of its own."""
    monkeypatch.setattr(bench.ablation, "write_report", lambda *_: True)
    monkeypatch.setattr(bench.ablation, "write_ablations", lambda *_: True)
    return runner(tmp_path, manifest)


def runner(tmp_path: Path, manifest: Path) -> Run:
    def runs(*words: str) -> Result:
        line = [
            *("--manifest", str(manifest), "--retriever", TOY, "--device", "cpu"),
            *("--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")),
            *("--report", str(tmp_path / "report.html")),
            *words,
        ]
        return CliRunner().invoke(app, line)

    return runs


def test_a_table_is_run_shown_and_written(tmp_path: Path, manifest: Path) -> None:
    ended = runner(tmp_path, manifest)("--table", "11")
    assert ended.exit_code == 0, ended.output
    shown = flat(ended.output)
    assert "Table 11, dimension of the codebooks, on toys" in shown
    assert "The paper has no such table of toys" in shown
    assert "Direction, R@1: " in shown and "Direction, MRR@10: " in shown
    assert "Best setting by R@1: published 64, measured" in shown
    assert "One seed (0)" in shown
    table = [line for line in ended.output.splitlines() if "–" in line or "direction" in line]
    assert table and max(map(len, table)) <= 80

    cells = {cell.spec.retriever.name for cell in ResultStore(tmp_path / "results").cells()}
    # The toy has 64 dimensions as it is, so that row is the base itself.
    assert cells == {"tunable", *(f"tunable[identifiers.latent_dim={n}]" for n in (32, 128))}
    (kept,) = RunStore(tmp_path / "results").runs()
    folder = tmp_path / "results" / "ablations"
    written = {path.name for path in folder.iterdir() if path.name.startswith(kept.stem)}
    assert written == {f"{kept.stem}.{kind}" for kind in ("json", "csv", "md", "tex", "svg", "png")}
    assert "Table 11 on toys" in (tmp_path / "report.html").read_text()
    assert f"Plots and tables: {folder}" in shown


def test_rows_are_left_out_or_shared_between_tables(run: Run, tmp_path: Path) -> None:
    ended = run("--table", "4")
    assert ended.exit_code == 1, ended.output
    shown = flat(ended.output)
    assert "w/o K-Means: left out." in shown
    assert "the toy has no field identifiers.scheme" in shown
    assert "of 2 rows agree" in shown

    before = ResultStore(tmp_path / "results").cells()
    planned = run("--table", "11", "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert flat(planned.output).count("would run") == 2
    assert flat(planned.output).count("is stored, would be reused") == 1
    assert ResultStore(tmp_path / "results").cells() == before


def test_a_reduced_run_is_other_cells_in_every_row(run: Run) -> None:
    planned = flat(run("--table", "11", "--effort", "0.5", "--dry-run").output)
    assert f"{TOY}[fit.epochs=2] on toys" in planned
    assert f"{TOY}[fit.epochs=2;identifiers.latent_dim=32] on toys" in planned
    assert planned.count("would run") == 3


def test_the_items_are_mapped_once(run: Run, tmp_path: Path) -> None:
    assert "would run" in run("--figure", "5", "--dry-run").output
    ended = run("--figure", "5")
    assert ended.exit_code == 0, ended.output
    shown = flat(ended.output)
    assert "Figure 5, items by code prefix, on toys" in shown
    assert "Agrees: tighter than chance." in shown
    assert "No two items share a prefix of 2 codes." in shown
    records = RunStore(tmp_path / "results")
    (drawn,) = records.drawn()
    assert len(read(records.arrays(drawn.key)).plane) == 12
    assert "stored already, reused" in flat(run("--figure", "5").output)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Say what to run: --table 4"),
        (("--table", "3"), "--table 3: give numbers"),
        (("--figure", "4"), "--figure 4: give numbers"),
        (("--table", "5", "--effort", "0"), "--effort 0: give a number above 0"),
        (("--table", "5", "--effort", "1.5"), "--effort 1.5"),
        (("--table", "5", "--retriever", "tiny-dual"), "this retriever has none"),
        (("--table", "5", "--retriever", f"{TOY}[a.b=1]"), "no field a.b"),
    ],
)
def test_a_command_line_that_cannot_be_followed(
    run: Run, words: tuple[str, ...], sentence: str
) -> None:
    ended = run(*words)
    assert ended.exit_code == 2
    assert sentence in flat(ended.output)


def test_a_dataset_must_be_named() -> None:
    ended = CliRunner().invoke(app, ["--table", "4"])
    assert ended.exit_code == 2
    assert "Say on what to run" in flat(ended.output)


def test_the_tables_are_listed() -> None:
    shown = flat(CliRunner().invoke(app, ["--list"]).output)
    assert "Table 8 each component left out; of Clotho, AudioCaps, MSR-VTT, MSVD" in shown
    assert "w/o fusion strategy: model.coarse_gate=off; model.fine_fusion=false" in shown
