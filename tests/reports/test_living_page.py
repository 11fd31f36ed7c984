"""The page's controls and its living corpus against what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.growth.results import LivingStore
from bench.growth.summary import rows
from bench.store import ResultStore
from reports.page import write
from tests.bench.test_living import GROWS, LEARNS, grown, result
from tests.reports.page_reading import Element, parse
from tests.reports.stored_results import Plan, store_result

TOLD = {
    "collision_ceiling": 0.8,
    "control/teacher R@1": 0.45,
    "control/teacher R@10": 0.9,
    "control/chance R@1": 0.04,
}


def page(root: Path) -> Element:
    written = write(root, root.parent / "page.html")
    return parse(written.read_text(encoding="utf-8"))


def test_controls_stand_beside_their_retriever(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    scheme = {"identifiers.scheme": "random"}
    plan = Plan("cart", paradigm="generative", options={}, diagnostics=TOLD)
    own = store_result(store, plan)
    control = store_result(
        store, replace(plan, retriever="cart[identifiers.scheme=random]", options=scheme, skill=0.1)
    )
    (table,) = page(store.root).all("table", class_="controls")
    shown = {row.all("th")[0].words: row for row in table.all("tr")[1:]}
    first = [float(row.all("data")[0].attributes["value"]) for row in shown.values()]
    assert first == [
        own.metrics["R@1"].value,
        control.metrics["R@1"].value,
        0.04,
        0.45,
        0.8,
    ]
    held = next(row for label, row in shown.items() if label.startswith("random identifiers"))
    above = float(held.all("data")[1].attributes["value"])
    assert above == pytest.approx(own.metrics["R@1"].value - control.metrics["R@1"].value)


def test_the_living_corpus_is_shown_without_any_other_result(tmp_path: Path) -> None:
    store = LivingStore(tmp_path / "results")
    one = result(grown(LEARNS))
    store.write(one)
    section = page(tmp_path / "results").all("section", id="living")[0]
    (row,) = rows([one])
    values = [float(data.attributes["value"]) for data in section.all("data")]
    assert values == [
        row.figures[stage][group][metric].value
        for stage in row.figures
        for group in row.figures[stage]
        for metric in ("R@1", "R@10")
    ]
    assert "the short training gives 50 %" in section.words
    assert "python -m bench.living" in section.words
    assert "a note" in section.words


def test_a_stage_that_a_retriever_has_not_is_not_shown(tmp_path: Path) -> None:
    LivingStore(tmp_path / "results").write(result(grown(GROWS)))
    section = page(tmp_path / "results").all("section", id="living")[0]
    assert (
        "all indexed anew" in section.words
        and "short training" not in section.all("table")[0].words
    )
