"""Every registered retriever passes the suite, and the suite catches what breaks the contract."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.base import Item, Modality
from retrievers import conformance, registry
from retrievers.base import Availability, IndexStats, Ranking, Settings
from tests.retrievers.toys import SPEC, ToyAdapter, ToyRetriever

RANKED = [
    (one, each)
    for one in registry.names()
    if registry.entry(one).target
    for each in registry.entry(one).modalities
]


@pytest.mark.parametrize("check", conformance.checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "modality"), RANKED)
def test_registered_retrievers_conform(
    name: str, modality: Modality, check: conformance.Check
) -> None:
    check(registry.adapter(name), modality)


def test_a_correct_retriever_passes_everything() -> None:
    conformance.run(ToyAdapter(RanksTexts))


class RanksTexts(ToyRetriever):
    """Correct, and ranks texts too."""

    texts: Sequence[str] | None = None

    def index_texts(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        if self.texts is None or k < 1:
            raise ValueError("no texts, or no k")
        scores = self.encoder.encode_items(items) @ self.encoder.encode_texts(self.texts).T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        ids = np.full((len(items), k), -1, np.int64)
        filled = np.full((len(items), k), -np.inf, np.float32)
        ids[:, : order.shape[1]] = order
        filled[:, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
        return Ranking(ids, filled)


class Wandering(ToyRetriever):
    made = itertools.count()

    def __init__(self, seed: int = 0) -> None:
        super().__init__(next(self.made))


class Ascending(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        return Ranking(right.ids[:, ::-1], right.scores[:, ::-1])


class NotANumber(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        return Ranking(right.ids, np.full_like(right.scores, np.nan))


class Repeating(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        return Ranking(np.repeat(right.ids[:, :1], k, axis=1), right.scores)


class WrappingAround(ToyRetriever):
    """Fills the places beyond the gallery with the first items again."""

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        assert self.gallery is not None
        filled = np.where(right.ids < 0, np.arange(k) % len(self.gallery), right.ids)
        return Ranking(filled, np.where(np.isfinite(right.scores), right.scores, -9))


class NeedsTwoPlaces(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        return right if k > 1 else Ranking(np.full_like(right.ids, -1), right.scores - np.inf)


class BlindToASingleItem(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        assert self.gallery is not None
        if len(self.gallery) > 1:
            return right
        return Ranking(np.full_like(right.ids, -1), np.full_like(right.scores, -np.inf))


class OneRowForNoQuery(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        return super().search(queries or [""], k)


class InfiniteForTheEmptyQuery(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        empty = np.array([not query for query in queries], bool)
        return Ranking(right.ids, np.where(empty[:, None], np.inf, right.scores))


class LatinOnly(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        latin = np.array([query.isascii() for query in queries], bool)[:, None]
        return Ranking(right.ids, np.where(latin, right.scores, np.nan))


class HidesTwins(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        twins = np.diff(right.scores, axis=1, prepend=np.inf) == 0
        ids, scores = np.where(twins, -1, right.ids), np.where(twins, -np.inf, right.scores)
        order = np.argsort(-scores, axis=1, kind="stable")
        return Ranking(
            np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)
        )


class SortsTiesByName(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        assert self.gallery is not None
        ids = right.ids.copy()
        for row, scores in zip(ids, right.scores, strict=True):
            found = [one for one in range(k) if row[one] >= 0]
            found.sort(key=lambda one: (-scores[one], self.gallery[row[one]].id))
            row[: len(found)] = row[found]
        return Ranking(ids, right.scores)


class CentresTheBatch(ToyRetriever):
    """Centres the queries on their batch, so that each changes the others' answers."""

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        right = super().search(queries, k)
        tilt = sum(len(query) for query in queries)
        return Ranking(right.ids, (right.scores - tilt).astype(np.float32))


class Remembering(ToyRetriever):
    """Lets an earlier gallery change the scores of a later one."""

    galleries = 0

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.galleries += 1
        self.encoder.seed = self.galleries
        return super().index(items)


class LosesItsSeed(ToyRetriever):
    def load(self, folder: Path) -> None:
        super().load(folder)
        self.encoder.seed += 1


class AnswersWithoutAGallery(ToyRetriever):
    def search(self, queries: Sequence[str], k: int) -> Ranking:
        self.gallery = self.gallery or []
        return super().search(queries, max(k, 1))


class SpecOfObjects(ToyRetriever):
    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed, replace(SPEC, options={"folder": Path()}))  # type: ignore[dict-item]


class SpecOfItsOwn(ToyRetriever):
    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed, replace(SPEC, options={"built": True}))


class KeepsTheRemoved(ToyRetriever):
    def remove(self, ids: Sequence[str]) -> None:
        assert self.gallery is not None
        kept = self.gallery
        super().remove(ids)
        self.gallery = kept


class DropsTheAdded(ToyRetriever):
    def add(self, items: Sequence[Item]) -> None:
        kept = list(self.gallery or [])
        super().add(items)
        self.gallery = kept


class AnswersWithoutTexts(RanksTexts):
    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        self.texts = self.texts or []
        return super().search_texts(items, max(k, 1))


class KeepsTheFirstTexts(RanksTexts):
    def index_texts(self, texts: Sequence[str]) -> None:
        self.texts = self.texts or list(texts)[:4]


class TakesTextsForTheGallery(RanksTexts):
    def index_texts(self, texts: Sequence[str]) -> None:
        super().index_texts(texts)
        self.gallery = (self.gallery or [])[:1]

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        found = super().search(queries, k)
        return found if len(self.gallery or []) > 1 else Ranking(found.ids + 90, found.scores)


class CentresTheItems(RanksTexts):
    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        right = super().search_texts(items, k)
        return Ranking(right.ids, right.scores - np.float32(len(items)))


BROKEN = [
    (conformance.check_deterministic_under_a_seed, Wandering),
    (conformance.check_ranking_is_well_formed, Ascending),
    (conformance.check_ranking_is_well_formed, NotANumber),
    (conformance.check_ranking_is_well_formed, Repeating),
    (conformance.check_k_beyond_the_gallery, WrappingAround),
    (conformance.check_k_of_one, NeedsTwoPlaces),
    (conformance.check_gallery_of_one, BlindToASingleItem),
    (conformance.check_no_queries, OneRowForNoQuery),
    (conformance.check_empty_query, InfiniteForTheEmptyQuery),
    (conformance.check_strange_queries, LatinOnly),
    (conformance.check_identical_items_are_all_found, HidesTwins),
    (conformance.check_ties_do_not_favour_an_item, SortsTiesByName),
    (conformance.check_answers_do_not_depend_on_the_batch, CentresTheBatch),
    (conformance.check_index_replaces_the_gallery, Remembering),
    (conformance.check_save_and_load, LosesItsSeed),
    (conformance.check_search_before_index, AnswersWithoutAGallery),
    (conformance.check_spec, SpecOfObjects),
    (conformance.check_spec, SpecOfItsOwn),
    (conformance.check_add_and_remove, KeepsTheRemoved),
    (conformance.check_add_and_remove, DropsTheAdded),
    (conformance.check_texts_are_ranked, AnswersWithoutTexts),
    (conformance.check_texts_are_ranked, KeepsTheFirstTexts),
    (conformance.check_texts_are_ranked, TakesTextsForTheGallery),
    (conformance.check_texts_do_not_depend_on_the_batch, CentresTheItems),
]


@pytest.mark.parametrize(("check", "kind"), BROKEN, ids=lambda one: one.__name__)
def test_the_suite_catches(check: conformance.Check, kind: type[ToyRetriever]) -> None:
    with pytest.raises(conformance.ConformanceError):
        check(ToyAdapter(kind), "image")


def test_every_check_is_shown_to_catch_something() -> None:
    assert {check for check, _ in BROKEN} == set(conformance.checks())


def test_run_names_every_check_that_failed() -> None:
    with pytest.raises(conformance.ConformanceError) as caught:
        conformance.run(ToyAdapter(KeepsTheRemoved))
    assert "check_add_and_remove (image)" in str(caught.value)
    assert "check_save_and_load" not in str(caught.value)


def test_absent_weights_must_stop_the_build() -> None:
    class Careless(ToyAdapter):
        def availability(self, settings: Settings) -> Availability:
            return replace(super().availability(settings), ready=False)

    with pytest.raises(conformance.ConformanceError, match="weights are absent"):
        conformance.check_spec(Careless(), "image")


def test_a_modality_that_the_spec_does_not_name_is_not_taken_for_ranked() -> None:
    with pytest.raises(conformance.ConformanceError, match="names image, not audio"):
        conformance.check_k_of_one(ToyAdapter(), "audio")
