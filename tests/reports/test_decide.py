"""What a reader decides by: the front by hand and against a slow version, and what things cost."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cells import Measure
from bench.growth.results import LivingStore
from bench.store import ResultStore
from reports.charts import data_of
from reports.decide.fronts import Both, fronts
from reports.page import write
from tests.bench.test_living import LEARNS, grown, result
from tests.reports.page_reading import Element, parse
from tests.reports.stored_results import Plan, store_failure, store_result
from tests.reports.stored_sweep import store_row


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def report(store: ResultStore) -> Element:
    page = write(store.root, store.root.parent / "page.html")
    return parse(page.read_text(encoding="utf-8"))


def both(recall: float, rate: float, apart: float = 0.0) -> Both:
    """Both figures, each with ``apart`` on either side as its interval."""
    return Both(
        Measure(recall, recall - apart, recall + apart), Measure(rate, rate - apart, rate + apart)
    )


def test_the_front_of_a_hand_made_case() -> None:
    accurate, quick, between = both(0.9, 1), both(0.1, 100), both(0.5, 10)
    behind = both(0.4, 9)
    assert fronts([accurate, quick, between, behind]) == ("front", "front", "front", "behind")


def test_equal_rows_are_on_the_front_together() -> None:
    assert fronts([both(0.5, 10), both(0.5, 10)]) == ("front", "front")


def test_what_the_intervals_do_not_bear_out_is_not_surely_behind() -> None:
    assert fronts([both(0.5, 10, 0.2), both(0.4, 9, 0.2)]) == ("front", "near")
    assert fronts([both(0.5, 10, 0.01), both(0.4, 9, 0.01)]) == ("front", "behind")
    # Surely slower and not surely less accurate.
    better = Both(Measure(0.5, 0.3, 0.7), Measure(10, 9.9, 10.1))
    worse = Both(Measure(0.4, 0.2, 0.6), Measure(5, 4.9, 5.1))
    assert fronts([better, worse]) == ("front", "near")


POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=8)


@given(POINTS)
def test_the_front_is_that_of_a_slow_version(points: list[tuple[int, int]]) -> None:
    found = fronts([both(recall, rate) for recall, rate in points])
    for (recall, rate), standing in zip(points, found, strict=True):
        beaten = any(
            (other, pace) != (recall, rate) and other >= recall and pace >= rate
            for other, pace in points
        )
        assert (standing == "front") == (not beaten)
    assert "front" in found


def test_the_verdict_names_front_and_what_is_left_out(store: ResultStore) -> None:
    store_result(store, Plan("tiny-dual", skill=0.9, pace=100.0))
    store_result(store, Plan("cart", paradigm="generative", skill=0.3, pace=900.0))
    store_result(store, Plan("slow", skill=0.1, pace=50.0))
    store_result(store, Plan("blank", weights="random", skill=0.1))
    store_result(store, Plan("theirs", weights="imported", skill=0.5))
    store_failure(store, Plan("broken"), "It broke.")
    (section,) = report(store).all("section", id="decide")
    (verdict,) = (each.words for each in section.all("p", class_="verdict"))
    assert verdict == "On the front: cart, tiny-dual. Behind in both: slow."
    (left_out,) = (each.words for each in section.all("p") if "Not in the picture" in each.words)
    assert "blank (untrained) (random weights" in left_out
    assert "theirs (its answers were made elsewhere" in left_out
    assert "broken (no result)" in left_out
    described = section.all("desc")[0].words
    assert "cart: R@1" in described and "900 queries a second (810 to 990)" in described


def test_the_chart_holds_what_the_drawing_shows(store: ResultStore) -> None:
    cells = {
        name: store_result(store, Plan(name, skill=skill, pace=pace))
        for name, skill, pace in (("tiny-dual", 0.9, 100.0), ("other", 0.3, 900.0))
    }
    (chart,) = report(store).all("figure", class_="chart")
    told = json.loads(str(chart.all("script")[0].children[0]))
    (marks,) = (trace for trace in told["data"] if "markers" in trace["mode"])
    shown = {name: (x, y) for name, x, y in zip(marks["text"], marks["x"], marks["y"], strict=True)}
    assert shown == {
        name: (cell.pace["batch-100"].value, pytest.approx(100 * cell.metrics["R@1"].value))
        for name, cell in cells.items()
    }


def test_seeds_are_averaged_and_their_bounds_are_the_outermost(store: ResultStore) -> None:
    for seed, pace in ((0, 100.0), (1, 300.0)):
        store_result(store, Plan("tiny-dual", seed=seed, pace=pace))
    described = report(store).all("section", id="decide")[0].all("desc")[0].words
    assert "200 queries a second (90 to 330)" in described


def costs(page: Element) -> dict[str, list[str]]:
    (section,) = page.all("section", id="decide")
    return {
        row.all("th")[0].words.split()[0]: [cell.words for cell in row.all("td")]
        for table in section.all("table")
        for row in table.all("tr")[1:]
    }


def test_costs_are_the_least_to_the_most_over_datasets(store: ResultStore) -> None:
    seconds = {"fit/train": 10.0, "index/build": 2.4}
    store_result(store, Plan("cart", dataset="one", items=24, seconds=seconds))
    doubled = {name: 2 * value for name, value in seconds.items()}
    store_result(store, Plan("cart", dataset="two", items=24, seconds=doubled))
    store_result(store, Plan("sound", dataset="three", modality="audio", seconds={}))
    found = costs(report(store))
    assert found["cart"] == ["10 s to 20 s", "100 ms to 200 ms", "512 B", "913 MB", "–", "–"]
    assert found["sound"][0] == "none"


def test_adding_an_item_is_what_the_living_corpus_took(store: ResultStore) -> None:
    growth = grown(LEARNS)
    told = result(replace(growth, seconds={**growth.seconds, "add": 0.6}))
    cell = told.spec.cell
    store_result(store, Plan(cell.retriever.name, dataset=cell.dataset, protocol=cell.protocol))
    LivingStore(store.root).write(told)
    assert growth.items["added"] == 4
    assert costs(report(store))[cell.retriever.name][4] == "150 ms"


def test_the_same_system_under_load_stands_beside(store: ResultStore) -> None:
    store_result(store, Plan("cart", paradigm="generative"))
    store_row(store.root, "cart:256", options={"system": "cart"})
    store_row(store.root, "clip:best", options={"system": "clip"})
    (last,) = costs(report(store))["cart"][6:]
    assert last.startswith("cart:256")
    assert "clip" not in last


@given(st.text())
def test_no_text_ends_the_data_of_a_chart(text: str) -> None:
    written = str(data_of({"name": text}))
    assert not set("<>&'") & set(written)
    assert json.loads(written) == {"name": text}


def test_a_table_can_be_taken_out_of_the_page(store: ResultStore) -> None:
    cell = store_result(store, Plan("tiny-dual", skill=0.7))
    store_result(store, Plan("=cmd()|' /C calc'!A0", skill=0.2))
    (part,) = report(store).all("section", class_="dataset")
    links = {
        link.attributes["download"]: link.attributes["href"]
        for link in part.all("a")
        if "download" in link.attributes
    }
    content = base64.b64decode(links["accuracy-photos-seeded-split-0.csv"].partition(",")[2])
    table = pd.read_csv(io.BytesIO(content)).set_index("Retriever")
    assert table.loc["tiny-dual", "R@1"] == pytest.approx(100 * cell.metrics["R@1"].value)
    assert table.loc["tiny-dual", "rank best"] == 1
    assert "'=cmd()|' /C calc'!A0" in table.index
