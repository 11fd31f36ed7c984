"""Both directions and the folds, against slow versions that look at every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cells import CellSpec
from bench.directions import by_set, media_to_text, ranks_of
from bench.galleries import Gallery, galleries
from bench.measure import Measurement, measure
from bench.metrics import per_query
from datasets.base import Dataset, Item, MediaToText, Pairs, Query
from retrievers.base import Cost, IndexStats, Ranking, RetrieverSpec

SPEC = RetrieverSpec("table", "dual tower", ("image",), "random", "none")
PICTURE = np.zeros((2, 2, 3), np.uint8)

Scores = Mapping[tuple[str, str], float]


class Table:
    """Ranks in both directions by a table of scores of (text, item)."""

    spec = SPEC

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.items: list[str] = []
        self.texts: list[str] = []
        self.indexed: list[list[str]] = []

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.items = [item.id for item in items]
        self.indexed.append(self.items)
        return IndexStats({"toy": 0.0}, bytes=len(items))

    def index_texts(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        return _top([[self.scores[text, item] for item in self.items] for text in queries], k)

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        return _top([[self.scores[text, item.id] for text in self.texts] for item in items], k)

    def save(self, folder: Path) -> None:
        raise AssertionError("the harness saves no retriever")

    load = save


def _top(scores: list[list[float]], k: int) -> Ranking:
    ids = np.full((len(scores), k), -1, np.int64)
    best = np.full((len(scores), k), -np.inf, np.float32)
    for row, told in enumerate(np.array(scores)):
        order = np.argsort(-told, kind="stable")[:k]
        ids[row, : order.size], best[row, : order.size] = order, told[order]
    return Ranking(ids, best, Cost(pairs_scored=sum(map(len, scores))))


def dataset(
    captions: Sequence[int], folds: Sequence[int] = (), rule: MediaToText = "any caption"
) -> Dataset:
    """An item for each number, which is how many captions it has: t0-0, t0-1, ... of i0."""
    return Dataset(
        name="tabled",
        protocol="all",
        modality="image",
        train=Pairs.empty(),
        validation=Pairs.empty(),
        gallery=tuple(Item(f"i{row}", "image", PICTURE) for row in range(len(captions))),
        queries=tuple(
            Query(f"q{row}-{each}", f"t{row}-{each}", (f"i{row}",))
            for row, count in enumerate(captions)
            for each in range(count)
        ),
        digest="d",
        synthetic=True,
        licence="none",
        folds=tuple(folds),
        media_to_text=rule,
    )


def random_scores(data: Dataset, rng: np.random.Generator, levels: int) -> Scores:
    return {
        (query.text, item.id): float(rng.integers(0, levels))
        for query in data.queries
        for item in data.gallery
    }


def taken(data: Dataset, scores: Scores, seed: int = 0) -> Measurement:
    spec = CellSpec(SPEC, "tabled", "all", "d", True, seed, 10, "c")
    return measure(spec, data, Table(scores), lambda _: None)


def whole(data: Dataset) -> Gallery:
    return Gallery(data.gallery, data.queries)


def places(better: int, tied: int, right: int, k: int) -> tuple[float, float]:
    """Recall and reciprocal rank at ``k``, averaged over draws of where the right ones stand.

    ``right`` of ``tied`` answers with one score are right, behind ``better`` others.
    """
    hits, reciprocals = 0.0, 0.0
    left, missed = tied, 1.0
    for place in range(better + 1, better + tied + 1):
        here = missed * min(1.0, right / left)
        if place <= k:
            hits, reciprocals = hits + here, reciprocals + here / place
        missed, left = missed - here, left - 1
    return hits, reciprocals


def slowly(data: Dataset, scores: Scores, k: int) -> tuple[float, float]:
    """Mean recall and reciprocal rank of items that ask for their text, by the rule."""
    captions = {
        item.id: [query.text for query in data.queries if item.id in query.relevant]
        for item in data.gallery
    }
    found = []
    for item in (item.id for item in data.gallery if captions[item.id]):
        if data.media_to_text == "any caption":
            told = {query.text: scores[query.text, item] for query in data.queries}
            own = captions[item]
        else:
            told = {
                other: max(scores[text, item] for text in texts)
                for other, texts in captions.items()
                if texts
            }
            own = [item]
        top = max(told[one] for one in own)
        better = sum(score > top for score in told.values())
        tied = sum(score == top for score in told.values())
        found.append(places(better, tied, sum(told[one] == top for one in own), k))
    recall, reciprocal = np.mean(found, axis=0)
    return float(recall), float(reciprocal)


HAND = {
    **{("t0-0", "i0"): 3.0, ("t0-1", "i0"): 1.0, ("t1-0", "i0"): 2.0, ("t1-1", "i0"): 0.0},
    **{("t0-0", "i1"): 9.0, ("t0-1", "i1"): 8.0, ("t1-0", "i1"): 7.0, ("t1-1", "i1"): 1.0},
}


def test_by_any_caption_the_first_of_the_items_own_counts() -> None:
    """i0 finds its t0-0 first; i1 finds two of i0's before its t1-0."""
    found = taken(dataset([2, 2]), HAND)
    assert found.reverse["R@1"].value == pytest.approx(1 / 2)
    assert found.reverse["R@5"].value == 1
    assert found.reverse["MRR@10"].value == pytest.approx((1 + 1 / 3) / 2)
    assert found.counts["items_asked"] == 2
    frame = found.reverse_frame
    assert frame is not None
    row = frame.set_index("query").loc["i1"]
    assert (row["item"], row["best"], row["worst"], row["right"]) == ("i1", 3, 3, 1)
    assert list(row["ids"]) == ["q0-0", "q0-1", "q1-0", "q1-1"]
    assert list(row["scores"]) == [9, 8, 7, 1]


def test_by_caption_set_the_other_items_stand_before_it_not_their_captions() -> None:
    """The same scores: for i1 the set of i0 stands once before its own."""
    found = taken(dataset([2, 2], rule="caption set"), HAND)
    assert found.reverse["R@1"].value == pytest.approx(1 / 2)
    assert found.reverse["MRR@10"].value == pytest.approx((1 + 1 / 2) / 2)
    assert found.reverse_frame is not None
    row = found.reverse_frame.set_index("query").loc["i1"]
    assert (row["best"], row["worst"]) == (2, 2)
    assert list(row["ids"]) == ["i0", "i1"]
    assert list(row["scores"]) == [9, 7]


def test_the_sets_of_a_ranking() -> None:
    ranking = Ranking(
        np.array([[3, 1, 0, 2], [2, 0, -1, -1]]),
        np.array([[4.0, 3.0, 3.0, 1.0], [2.0, 1.0, -np.inf, -np.inf]], np.float32),
    )
    owners = np.array([[0, -1], [1, 2], [2, -1], [1, -1]])
    found = by_set(ranking, owners, sets=4)
    assert found.ids.tolist() == [[1, 0, 2, -1], [2, 0, -1, -1]]
    assert found.scores.tolist() == [[4, 3, 3, -np.inf], [2, 1, -np.inf, -np.inf]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=7).filter(any),
    st.sampled_from(["any caption", "caption set"]),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
def test_media_to_text_is_the_slow_version(
    captions: list[int], rule: MediaToText, levels: int, seed: int
) -> None:
    """With a depth that sees every text, so that ties are shared over all of them."""
    data = dataset(captions, rule=rule)
    scores = random_scores(data, np.random.default_rng(seed), levels)
    answers = media_to_text(Table(scores), whole(data), rule, k=len(data.queries), seed=seed)
    figures = per_query(ranks_of(answers.frame))
    assert set(answers.frame["query"]) == {query.relevant[0] for query in data.queries}
    for k in (1, 5, 10):
        assert figures[f"R@{k}"].mean() == pytest.approx(slowly(data, scores, k)[0])
    assert figures["MRR@10"].mean() == pytest.approx(slowly(data, scores, 10)[1])


@pytest.mark.parametrize("rule", ["any caption", "caption set"])
def test_a_constant_scorer_gets_chance_in_the_reverse_direction(rule: MediaToText) -> None:
    """Over many shuffles: among 40 texts of 8 items, of which only ten are looked at."""
    data = dataset([5] * 8, rule=rule)
    scores = dict.fromkeys(random_scores(data, np.random.default_rng(0), 1), 1.0)
    found = [taken(data, scores, seed).reverse["R@1"].value for seed in range(60)]
    assert np.mean(found) == pytest.approx(1 / 8, abs=0.03)


def test_many_captions_do_not_hide_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another item's sixty captions stand before the one that is right, in blocks of one item."""
    monkeypatch.setattr("bench.directions.PLACES_AT_ONCE", 70)
    data = dataset([60, 1, 3], rule="caption set")
    scores = {
        (query.text, item.id): {"i0": 2.0, "i1": 1.0, "i2": 0.0}[query.relevant[0]]
        for query in data.queries
        for item in data.gallery
    }
    found = taken(data, scores)
    assert found.reverse_frame is not None
    best = found.reverse_frame.set_index("query")["best"]
    assert best.to_dict() == {"i0": 1, "i1": 2, "i2": 3}


@pytest.mark.parametrize("rule", ["any caption", "caption set"])
def test_folds_are_searched_apart_and_averaged_over_all_queries(rule: MediaToText) -> None:
    """Against one measurement for each fold as a dataset of its own, done by hand."""
    rng = np.random.default_rng(4)
    captions = [3] * 12
    folds = [0] * 4 + [1] * 4 + [2] * 4
    data = dataset(captions, folds, rule)
    scores = {
        (query.text, item.id): float(rng.normal() + (item.id in query.relevant))
        for query in data.queries
        for item in data.gallery
    }
    found = taken(data, scores)
    forward, backward = [], []
    for fold in range(3):
        inside = {f"i{row}" for row in range(12) if folds[row] == fold}
        items = [item for item in data.gallery if item.id in inside]
        queries = [query for query in data.queries if query.relevant[0] in inside]
        for query in queries:
            told = [scores[query.text, item.id] for item in items]
            own = scores[query.text, query.relevant[0]]
            forward.append(1 + sum(score > own for score in told))
        part = replace(data, gallery=tuple(items), queries=tuple(queries), folds=())
        backward.append([slowly(part, scores, k)[0] for k in (1, 5, 10)])
    for k in (1, 5, 10):
        assert found.metrics[f"R@{k}"].value == pytest.approx(np.mean(np.array(forward) <= k))
    reverse = [found.reverse[f"R@{k}"].value for k in (1, 5, 10)]
    assert reverse == pytest.approx(list(np.mean(backward, axis=0)))
    assert found.counts["gallery"] == 4
    assert found.counts["folds"] == 3
    assert found.counts["items_asked"] == 12
    assert found.counts["pairs_scored"] == 36 * 4
    assert found.memory["index_bytes"] == 4
    assert sorted(found.frame["query"]) == sorted(query.id for query in data.queries)


def test_a_fold_is_indexed_alone() -> None:
    data = dataset([1] * 6, [0, 1, 0, 1, 0, 1])
    table = Table(random_scores(data, np.random.default_rng(0), 3))
    told: list[str] = []
    measure(CellSpec(SPEC, "tabled", "all", "d", True, 0, 10, "c"), data, table, told.append)
    assert [sorted(items) for items in table.indexed] == [["i0", "i2", "i4"], ["i1", "i3", "i5"]]
    assert told == ["fit", *["index", "search", "reverse"] * 2, "pace", "diagnose"]


def test_a_fold_without_a_query_is_not_searched() -> None:
    data = dataset([1, 1, 0, 0], [0, 0, 1, 1])
    assert [len(gallery.items) for gallery in galleries(data, 0)] == [2]
