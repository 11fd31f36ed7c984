"""The cascade with a scorer whose preference is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.base import Item
from retrievers import conformance
from retrievers.base import Availability, FloatArray, IntArray, Retriever, RetrieverSpec, Settings
from retrievers.cascade import Cascade
from retrievers.dual_tower import DualTower
from retrievers.indexes import TorchExact
from tests.retrievers.toys import SPEC, HashEncoder, ToyAdapter, ToyRetriever, items

QUERIES = ["one", "two", "three", "four"]


class PrefersBright:
    """Scores a picture by its brightness, whatever the text is; counts the pairs."""

    def __init__(self, step: float = 1.0) -> None:
        self.step = step
        self.brightness = np.zeros(0, np.float32)
        self.pairs = 0

    def prepare(self, items: Sequence[Item]) -> None:
        self.brightness = np.array([np.mean(item.media) for item in items], np.float32)

    def score(self, texts: Sequence[str], rows: IntArray) -> FloatArray:
        assert rows.shape[0] == len(texts)
        self.pairs += int((rows >= 0).sum())
        return np.where(rows >= 0, self.brightness[rows] * self.step, -np.inf).astype(np.float32)


def cascade(scorer: PrefersBright, depth: int) -> Cascade:
    return Cascade(SPEC, ToyRetriever(), scorer, depth)


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
