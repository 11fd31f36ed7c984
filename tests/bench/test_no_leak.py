"""What a retriever is shown before it is asked: no caption of a test item, no test item twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cells import CellSpec
from bench.measure import measure
from datasets.base import Dataset, DatasetError, Item, Pairs, Query
from retrievers.base import IndexStats, Ranking, RetrieverSpec

SPEC = RetrieverSpec("spy", "dual tower", ("image",), "random", "none")
PICTURE = np.zeros((4, 4, 3), np.uint8)


def items(prefix: str, count: int) -> tuple[Item, ...]:
    return tuple(Item(f"{prefix}{number}", "image", PICTURE) for number in range(count))


def pairs(prefix: str, count: int) -> Pairs:
    captions = tuple(f"{prefix} caption {number}" for number in range(count))
    return Pairs(items(prefix, count), captions, tuple(range(count)))


DATASET = Dataset(
    name="spied",
    protocol="all",
    modality="image",
    train=pairs("train", 5),
    validation=pairs("validation", 3),
    gallery=items("test", 4),
    queries=tuple(Query(f"q{n}", f"test caption {n}", (f"test{n}",)) for n in range(4)),
    digest="d",
    synthetic=True,
    licence="none",
)


class Spy:
    """Writes down all that it is given, in the order in which it is given."""

    spec = SPEC

    def __init__(self) -> None:
        self.told: list[str] = []

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        for part in (train, validation):
            self.told += [*part.captions, *(item.id for item in part.items)]
        return {}

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.told += [item.id for item in items]
        self.gallery = len(items)
        return IndexStats({}, 0)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        self.told.append("first query")
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        found = min(k, self.gallery)
        ids[:, :found], scores[:, :found] = np.arange(found), 0
        return Ranking(ids, scores)

    def save(self, folder: Path) -> None:
        raise AssertionError("the harness saves no retriever")

    load = save


def test_nothing_that_is_said_of_a_test_item_is_given_before_the_questions() -> None:
    spy = Spy()
    measure(CellSpec(SPEC, "spied", "all", "d", True, 0, 10, "c"), DATASET, spy, lambda _: None)
    before = spy.told[: spy.told.index("first query")]
    assert {query.text for query in DATASET.queries}.isdisjoint(before)
    assert set(DATASET.train.captions) <= set(before)
    assert sorted(before[-4:]) == ["test0", "test1", "test2", "test3"]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_test_item_that_is_also_learned_from_is_refused(part: str) -> None:
    shared = replace(DATASET.train, items=(*items("train", 4), DATASET.gallery[0]))
    with pytest.raises(DatasetError, match=f"1 test items are also in {part}, e.g. 'test0'"):
        replace(DATASET, **{part: shared})


def test_a_query_without_an_answer_in_the_gallery_is_refused() -> None:
    with pytest.raises(DatasetError, match="'lost' has no answer"):
        replace(DATASET, queries=(Query("lost", "text", ("elsewhere",)),))
