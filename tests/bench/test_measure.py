"""One measurement of toy retrievers, against what the toys must get."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.cells import CellSpec
from bench.galleries import relevant_rows, shuffled
from bench.measure import SpecMismatch, measure
from bench.ranking_check import BadRanking
from datasets.base import Dataset, Item, Pairs, Query
from tests.bench import toy

NAMES = [f"{colour}-{shape}" for colour in ("red", "blue", "grey") for shape in "abcdefgh"]


def picture(number: int) -> np.ndarray:
    return np.full((40, 400, 3), number, np.uint8)


ITEMS = tuple(Item(name, "image", picture(row)) for row, name in enumerate(NAMES))
DATASET = Dataset(
    name="toys",
    protocol="all",
    modality="image",
    train=Pairs.empty(),
    validation=Pairs.empty(),
    gallery=ITEMS,
    queries=tuple(Query(f"q-{name}", name.replace("-", " "), (name,)) for name in NAMES),
    digest="d",
    synthetic=True,
    licence="none",
    notes=("A note on the data.",),
)


def spec(adapter: toy.ToyAdapter, seed: int = 0) -> CellSpec:
    return CellSpec(adapter.tiny(0).spec, "toys", "all", "d", True, seed, 10, "c")


def test_a_good_retriever_is_right() -> None:
    told: list[str] = []
    taken = measure(spec(toy.LEXICAL), DATASET, toy.LEXICAL.tiny(0), told.append)
    assert taken.metrics["R@1"].value == 1
    assert taken.metrics["MRR@10"].value == 1
    assert told == ["fit", "index", "search", "pace", "diagnose"]
    assert 0 < taken.pace["batch-100"].low <= taken.pace["batch-100"].value
    assert taken.counts["gallery"] == taken.counts["queries"] == 24
    assert taken.counts["pairs_scored"] == 24 * 24
    assert taken.memory["index_bytes"] == 8 * 24
    assert taken.diagnostics == {"words shared with the answer": 2.0}
    assert taken.notes == ("A note on the data.", "Not a finite number, so left out: nonsense.")
    assert set(taken.seconds) >= {"fit/toy", "fit/other", "index/toy", "search/all"}
    first = taken.frame.set_index("query").loc["q-red-a"]
    assert (first["item"], first["best"], first["worst"]) == ("red-a", 1, 1)
    assert (first["ids"][0], first["scores"][0]) == ("red-a", 2.0)


def test_a_constant_scorer_gets_chance_and_never_more() -> None:
    found = [
        measure(spec(toy.CONSTANT, seed), DATASET, toy.CONSTANT.tiny(0), lambda _: None).metrics
        for seed in range(3)
    ]
    for metrics in found:
        assert metrics["R@1"].value == pytest.approx(1 / 24)
        assert metrics["R@10"].value == pytest.approx(10 / 24)


def test_the_order_of_the_gallery_tells_nothing() -> None:
    """A scorer that always puts the first rows on top learns nothing from the order of the file."""
    orders = [[item.id for item in shuffled(ITEMS, seed)] for seed in range(40)]
    assert orders[0] == [item.id for item in shuffled(ITEMS, 0)]
    assert all(sorted(order) == sorted(NAMES) for order in orders)
    first = [order.index(NAMES[0]) for order in orders]
    assert 7 < np.mean(first) < 16


def test_a_bad_ranking_and_an_impostor_are_refused() -> None:
    with pytest.raises(BadRanking, match="finite"):
        measure(spec(toy.NAN), DATASET, toy.NAN.tiny(0), lambda _: None)
    impostor = replace(toy.LEXICAL, name="another").tiny(0)
    with pytest.raises(SpecMismatch, match="name 'lexical', built with 'another'"):
        measure(spec(toy.LEXICAL), DATASET, impostor, lambda _: None)


def test_a_diagnosis_that_breaks_leaves_the_ranking_alone() -> None:
    class Breaks(toy.ToyThatExplains):
        def diagnose(self, queries: object, relevant: object) -> dict[str, float]:
            raise RuntimeError("no idea")

    retriever = replace(toy.LEXICAL, make=Breaks).tiny(0)
    taken = measure(spec(toy.LEXICAL), DATASET, retriever, lambda _: None)
    assert taken.metrics["R@1"].value == 1
    assert taken.diagnostics == {}
    assert "RuntimeError: no idea" in taken.notes[-1]


def test_rows_of_several_right_items() -> None:
    queries = [Query("a", "", ("red-b", "red-a")), Query("b", "", ("blue-a",))]
    assert relevant_rows(queries, ITEMS).tolist() == [[1, 0], [8, -1]]
    assert relevant_rows(queries, ITEMS[1:]).tolist() == [[0], [7]]
