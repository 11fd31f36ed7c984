"""The ablations' section of the page and its files, from stored results alone."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.ablations.runs import RunStore
from bench.ablations.tables import ablation_of
from bench.item_map import Points
from bench.metrics import METRIC_NAMES
from bench.published import ablated
from bench.store import ResultStore
from reports.ablations.__main__ import main
from reports.ablations.map_plot import commonest
from reports.ablations.section import read_ablations
from reports.exports.ablation import ablation
from reports.exports.formats import as_csv, as_latex, as_markdown
from reports.page import write
from tests.reports.page_reading import Element, parse
from tests.reports.stored_ablations import store_map, store_table
from tests.reports.stored_results import Plan, store_result


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def section(store: ResultStore) -> Element:
    page = write(store.root, store.root.parent / "page.html").read_text(encoding="utf-8")
    (found,) = parse(page).all("section", id="ablations")
    return found


def test_the_page_shows_every_row_beside_its_published_figure(store: ResultStore) -> None:
    store_table(store)
    found = section(store)
    rows = {row.all(class_="name")[0].words: row for row in found.all("tr")[1:]}
    assert list(rows) == [setting.label for setting in ablation_of(4).settings]
    evidence = read_ablations(store.root).tables[0]
    for row in evidence.rows:
        shown = [float(data.attributes["value"]) for data in rows[row.label].all("data")]
        assert shown == [row.measured[metric].value for metric in METRIC_NAMES if row.measured]
        for metric in METRIC_NAMES if row.measured else ():
            printed = ablated(4)["Flickr30K", row.setting][metric]
            assert f"published {printed:.2f}" in rows[row.label].words
    assert "agrees" in rows["w/o fusion strategy"].words
    assert "Not measured. seed 0: It <b>broke</b>." in rows["w/o RQ-VAE"].words
    assert "Not measured. It was not run." in rows["w/o consistency loss"].words
    assert "Direction, R@1: 1 of 2 rows agree" in found.words
    assert "effort 0.5 (fit.epochs 1)" in found.words
    assert "--table 4 --dataset photos --seeds 0 --effort 0.5" in found.words
    (plot,) = found.all("svg")
    assert "w/o fusion strategy: published 75.54, measured" in plot.all("desc")[0].words


def test_a_variant_of_an_ablation_stands_with_the_ablations_alone(store: ResultStore) -> None:
    store_table(store)
    store_result(store, Plan("cart[search.beam=50]"))
    page = parse(write(store.root, store.root.parent / "page.html").read_text(encoding="utf-8"))
    names = {
        row.words
        for table in page.all("table", class_="accuracy")
        for row in table.all(class_="name")
    }
    assert names == {"cart", "cart[search.beam=50]"}
    (origins,) = page.all("section", id="provenance")
    assert "cart[a=1]" in origins.text


def test_without_ablations_there_is_no_section(store: ResultStore) -> None:
    store_result(store, Plan("cart"))
    page = parse(write(store.root, store.root.parent / "page.html").read_text(encoding="utf-8"))
    assert not page.all("section", id="ablations")


def test_what_was_stored_of_no_table_is_left_out(store: ResultStore) -> None:
    run = store_table(store)
    RunStore(store.root).write(replace(run, table=3))
    RunStore(store.root).write(replace(run, table=5, rows=run.rows[:1]))
    assert [found.run.table for found in read_ablations(store.root).tables] == [4]


def test_the_map_is_shown_with_its_number(store: ResultStore) -> None:
    store_map(store)
    found = section(store)
    assert "Prefixes of 1 code (10 in use): mean cosine distance within 0.000" in found.words
    assert "60 of 90 items, drawn at random." in found.words
    assert len(found.all("svg")) == 1


def test_a_map_whose_arrays_are_gone_is_left_out(store: ResultStore) -> None:
    store_table(store)
    drawn = store_map(store)
    RunStore(store.root).arrays(drawn.key).unlink()
    assert not read_ablations(store.root).maps


def test_the_commonest_prefixes_are_those_that_most_items_share() -> None:
    prefixes = np.array([[1, 0], [1, 0], [1, 2], [2, 0], [2, 1], [3, 0]])
    points = Points(np.zeros((6, 2), np.float32), prefixes, np.zeros((6, 2), np.float32), 6)
    assert commonest(points, 1) == [(1,), (2,)]
    assert commonest(points, 2) == [(1, 0)]
    assert commonest(points, 1, most=1) == [(1,)]


def test_files_of_every_kind(store: ResultStore, tmp_path: Path) -> None:
    run, drawn = store_table(store), store_map(store)
    assert main(["--results", str(store.root), "--output", str(tmp_path / "files")]) == 0
    names = {path.name for path in (tmp_path / "files").iterdir()}
    kinds = ("csv", "md", "tex", "svg", "png")
    assert names == {f"{run.stem}.{kind}" for kind in kinds} | {
        f"{drawn.stem}.{kind}" for kind in ("svg", "png")
    }
    for stem in (run.stem, drawn.stem):
        root = ET.parse(tmp_path / "files" / f"{stem}.svg").getroot()  # noqa: S314
        assert root.tag.endswith("svg")
        with Image.open(tmp_path / "files" / f"{stem}.png") as picture:
            assert picture.width > 1000


def test_files_hold_the_figures_and_escape_what_means_something(store: ResultStore) -> None:
    store_table(store)
    (found,) = read_ablations(store.root).tables
    lines = list(csv.DictReader(io.StringIO(as_csv(ablation(found)))))
    assert len(lines) == 5
    for line, row in zip(lines, found.rows, strict=True):
        assert line["setting"] == row.setting
        for metric in METRIC_NAMES:
            assert line[f"{metric} published"] == str(row.published[metric])
            if row.measured:
                measured = 100 * row.measured[metric].value
                assert float(line[metric]) == pytest.approx(measured, rel=1e-12)
            if metric in row.apart:
                low = 100 * row.apart[metric].low
                assert float(line[f"{metric} difference low"]) == pytest.approx(low, abs=1e-9)
    markdown = as_markdown(ablation(found))
    assert "A remark \\| with &lt;marks&gt; &amp; 100 %." in markdown
    assert "| w/o fusion strategy | " in markdown
    latex = as_latex(ablation(found))
    assert r"A remark \textbar{} with \textless{}marks\textgreater{} \& 100 \%." in latex
    assert latex.count(" \\\\\n") == 6
    assert r"\toprule" in latex


def test_without_any_there_is_nothing_to_write(
    store: ResultStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--results", str(store.root)]) == 1
    assert "holds no ablation" in capsys.readouterr().err
