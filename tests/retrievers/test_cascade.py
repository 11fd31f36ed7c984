"""The cascade with a scorer whose preference is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from datasets.base import Item
from retrievers import conformance
from retrievers.base import Availability, FloatArray, IntArray, Retriever, RetrieverSpec, Settings
from retrievers.cascade import Cascade, depth_of, the_sum_of_both
from retrievers.dual_tower import DualTower
from retrievers.indexes import TorchExact
from tests.retrievers.toys import SPEC, HashEncoder, ToyAdapter, ToyRetriever, items

QUERIES = ["one", "two", "three", "four"]


class PrefersBright:
    """Scores a pair by the picture's brightness and the text's length; counts the pairs."""

    def __init__(self, step: float = 1.0) -> None:
        self.step = step
        self.brightness = np.zeros(0, np.float32)
        self.pairs = 0

    def prepare(self, items: Sequence[Item]) -> None:
        self.brightness = np.array([np.mean(item.media) for item in items], np.float32)

    def score(self, texts: Sequence[str], rows: IntArray) -> FloatArray:
        assert rows.shape[0] == len(texts)
        self.pairs += int((rows >= 0).sum())
        found = self.brightness[rows] + np.array([[len(text)] for text in texts], np.float32)
        return np.where(rows >= 0, found * self.step, -np.inf).astype(np.float32)

    def score_texts(
        self, items: Sequence[Item], texts: Sequence[str], rows: IntArray
    ) -> FloatArray:
        assert rows.shape[0] == len(items)
        self.pairs += int((rows >= 0).sum())
        lengths = np.array([len(text) for text in texts], np.float32)
        found = lengths[rows] + np.array([[np.mean(item.media)] for item in items], np.float32)
        return np.where(rows >= 0, found * self.step, -np.inf).astype(np.float32)


def cascade(scorer: PrefersBright, depth: int | Literal["all"]) -> Cascade:
    return Cascade(SPEC, DualTower(SPEC, HashEncoder(), TorchExact), scorer, depth)


def first_stage(gallery: list[Item], k: int) -> np.ndarray:
    toy = ToyRetriever()
    toy.index(gallery)
    return toy.search(QUERIES, k).ids


def test_the_top_is_ordered_by_the_scorer_and_the_rest_by_the_first_stage() -> None:
    gallery = items(*range(20))
    both = cascade(PrefersBright(), depth=6)
    both.index(gallery)
    ranking = both.search(QUERIES, 15)
    first = first_stage(gallery, 15)
    np.testing.assert_array_equal(ranking.ids[:, :6], -np.sort(-first[:, :6], axis=1))
    np.testing.assert_array_equal(ranking.ids[:, 6:], first[:, 6:])
    assert (np.diff(ranking.scores, axis=1) < 0).all()


def test_a_smaller_k_cuts_the_same_ranking() -> None:
    both = cascade(PrefersBright(), depth=6)
    both.index(items(*range(20)))
    whole, cut = both.search(QUERIES, 15), both.search(QUERIES, 3)
    np.testing.assert_array_equal(cut.ids, whole.ids[:, :3])
    np.testing.assert_array_equal(cut.scores, whole.scores[:, :3])


def test_items_that_the_scorer_finds_equal_keep_their_order_and_tie() -> None:
    gallery = items(*range(12))
    both = cascade(PrefersBright(step=0.0), depth=12)
    both.index(gallery)
    ranking = both.search(QUERIES, 12)
    np.testing.assert_array_equal(ranking.ids, first_stage(gallery, 12))
    assert (ranking.scores == 0).all()


def test_ties_of_the_first_stage_below_the_depth_stay_ties() -> None:
    twins = [Item(f"twin-{row}", "image", items(5)[0].media) for row in range(6)]
    both = cascade(PrefersBright(), depth=2)
    both.index(twins)
    scores = both.search(QUERIES, 6).scores
    assert (scores[:, 2:] == scores[:, 2:3]).all()
    assert (scores[:, 2] < scores[:, 1]).all()


def test_the_cost_counts_the_pairs_that_were_scored() -> None:
    scorer = PrefersBright()
    both = cascade(scorer, depth=5)
    both.index(items(1, 2, 3))
    ranking = both.search(QUERIES, 4)
    assert ranking.cost.pairs_scored == scorer.pairs == 3 * len(QUERIES)
    assert (ranking.ids[:, 3] == -1).all()
    assert (ranking.scores[:, 3] == -np.inf).all()


def test_a_scorer_that_is_not_finite_is_refused() -> None:
    both = cascade(PrefersBright(step=np.nan), depth=2)
    both.index(items(1, 2))
    with pytest.raises(ValueError, match="not finite"):
        both.search(QUERIES, 1)


def test_files_are_saved_by_path(tmp_path: Path) -> None:
    files = []
    for value in (10, 20, 30):
        path = tmp_path / f"{value}.bin"
        path.write_bytes(bytes([value]))
        files.append(Item(f"item-{value}", "image", path))

    class ByName(PrefersBright):
        def prepare(self, items: Sequence[Item]) -> None:
            assert all(isinstance(item.media, Path) for item in items)
            self.brightness = np.array([int(item.id[5:]) for item in items], np.float32)

    def build() -> Cascade:
        return Cascade(SPEC, DualTower(SPEC, HashEncoder(), TorchExact), ByName(), 3)

    saved, loaded = build(), build()
    saved.index(files)
    saved.save(tmp_path / "saved")
    loaded.load(tmp_path / "saved")
    assert (loaded.search(QUERIES, 3).ids == [2, 1, 0]).all()


class CascadeAdapter(ToyAdapter):
    """A cascade over a dual tower, for the conformance suite."""

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "always there")

    def describe(self, settings: Settings) -> RetrieverSpec:
        return replace(SPEC, paradigm="single tower")

    def build(self, settings: Settings) -> Retriever:
        return self.tiny(settings.seed)

    def tiny(self, seed: int) -> Retriever:
        first = DualTower(SPEC, HashEncoder(seed), TorchExact)
        return Cascade(replace(SPEC, paradigm="single tower"), first, PrefersBright(), depth=4)


@pytest.mark.parametrize("check", conformance.checks(), ids=lambda check: check.__name__)
def test_a_cascade_conforms(check: conformance.Check) -> None:
    check(CascadeAdapter(), "image")


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="depth"):
        cascade(PrefersBright(), depth=0)


def test_the_depth_all_scores_every_pair() -> None:
    scorer = PrefersBright()
    both = cascade(scorer, depth="all")
    both.index(items(*range(30)))
    ranking = both.search(QUERIES, 5)
    assert (ranking.ids == [29, 28, 27, 26, 25]).all()
    assert ranking.cost.pairs_scored == scorer.pairs == 30 * len(QUERIES)


@pytest.mark.parametrize("value", [None, 0, "some", 1.5])
def test_a_spec_without_a_depth_is_refused(value: str | float | None) -> None:
    with pytest.raises(ValueError, match="depth of toy"):
        depth_of(replace(SPEC, options={"depth": value}))
    assert depth_of(replace(SPEC, options={"depth": "all"})) == "all"
    assert depth_of(replace(SPEC, options={"depth": 7})) == 7


TEXTS = ["a" * length for length in (3, 9, 1, 12, 7, 2, 30)]


def test_texts_are_scored_again_down_to_the_depth() -> None:
    gallery = items(*range(5))
    both, first = cascade(PrefersBright(), depth=4), DualTower(SPEC, HashEncoder(), TorchExact)
    for one in (both, first):
        one.index(gallery)
        one.index_texts(TEXTS)
    before, ranking = first.search_texts(gallery, 7), both.search_texts(gallery, 6)
    lengths = np.array([len(text) for text in TEXTS])
    for found, was in zip(ranking.ids, before.ids, strict=True):
        assert found[:4].tolist() == sorted(was[:4], key=lambda row: -lengths[row])
        assert found[4:].tolist() == was[4:6].tolist()
    assert (np.diff(ranking.scores, axis=1) < 0).all()
    assert ranking.cost.pairs_scored == 4 * 5


def test_both_directions_give_a_pair_one_score() -> None:
    gallery = items(*range(5))
    both = cascade(PrefersBright(), depth="all")
    both.index(gallery)
    both.index_texts(TEXTS)
    there, back = both.search(TEXTS, 5), both.search_texts(gallery, 7)
    forward, reverse = np.zeros((7, 5)), np.zeros((5, 7))
    np.put_along_axis(forward, there.ids, there.scores, axis=1)
    np.put_along_axis(reverse, back.ids, back.scores, axis=1)
    np.testing.assert_allclose(forward, reverse.T, rtol=1e-6)


def test_the_first_stage_may_be_added_to_the_score() -> None:
    gallery = items(*range(12))
    first = DualTower(SPEC, HashEncoder(), TorchExact)
    both = Cascade(SPEC, first, PrefersBright(step=0.01), 12, the_sum_of_both)
    both.index(gallery)
    ranking, before = both.search(QUERIES, 12), first.search(QUERIES, 12)
    for query, text in enumerate(QUERIES):
        total = {
            row: score + (row + len(text)) * 0.01
            for row, score in zip(before.ids[query], before.scores[query], strict=True)
        }
        assert ranking.ids[query].tolist() == sorted(total, key=lambda row: -total[row])
        found = [total[row] for row in ranking.ids[query]]
        np.testing.assert_allclose(ranking.scores[query], found, rtol=1e-5)


def test_many_queries_are_scored_in_parts_with_the_same_answers() -> None:
    both = cascade(PrefersBright(), depth=3)
    both.index(items(*range(8)))
    queries = [f"query {row}" for row in range(40)]
    together = both.search(queries, 5)
    alone = [both.search([query], 5) for query in queries]
    np.testing.assert_array_equal(together.ids, np.concatenate([one.ids for one in alone]))
