"""The checks that every retriever passes in its tiny form, for our tests and for third parties.

In a third party's own test suite::

    @pytest.mark.parametrize("modality", ["image", "audio"])
    @pytest.mark.parametrize("check", conformance.checks(), ids=lambda check: check.__name__)
    def test_conformance(check, modality):
        check(MyAdapter(), modality)

The data are made in memory: pictures, sounds and clips of noise, and captions of no meaning. A
check says nothing of how well a retriever finds, only of how it behaves.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np

from datasets.base import Item, Modality
from retrievers.base import (
    Adapter,
    Ranking,
    Retriever,
    RetrieverSpec,
    Settings,
    TextRanker,
    Updatable,
    WeightsAbsent,
)
from retrievers.conformance_data import QUERIES, STRANGE, items_of_noise, pairs_of_noise

Check = Callable[[Adapter, Modality], None]


class ConformanceError(AssertionError):
    """A retriever that breaks the contract; the message says how."""


def checks() -> list[Check]:
    """Every check: a function of an adapter and the modality of the gallery.

    It raises ConformanceError.
    """
    return [
        check_deterministic_under_a_seed,
        check_ranking_is_well_formed,
        check_k_beyond_the_gallery,
        check_k_of_one,
        check_gallery_of_one,
        check_no_queries,
        check_empty_query,
        check_strange_queries,
        check_identical_items_are_all_found,
        check_ties_do_not_favour_an_item,
        check_answers_do_not_depend_on_the_batch,
        check_index_replaces_the_gallery,
        check_save_and_load,
        check_search_before_index,
        check_spec,
        check_add_and_remove,
        check_texts_are_ranked,
        check_texts_do_not_depend_on_the_batch,
    ]


def run(adapter: Adapter) -> None:
    """Run every check on every modality of the adapter's tiny form.

    Raises ConformanceError that names all that failed, and how.
    """
    failures = []
    for modality, check in product(adapter.tiny(0).spec.modalities, checks()):
        try:
            check(adapter, modality)
        except ConformanceError as error:
            failures.append(f"{check.__name__} ({modality}): {error}")
    if failures:
        raise ConformanceError("\n".join(failures))


def check_deterministic_under_a_seed(adapter: Adapter, modality: Modality) -> None:
    """Two retrievers of one seed, fitted alike, give the same ranking."""
    gallery = items_of_noise(modality, 6)
    first, second = (_fitted(adapter, modality, gallery).search(QUERIES, 6) for _ in range(2))
    _require_same(first, second, "two retrievers built and fitted alike with one seed differ")


def check_ranking_is_well_formed(adapter: Adapter, modality: Modality) -> None:
    """Rows in range and never twice, scores finite and descending."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 9)).search(QUERIES, 5)
    _require_ranking(ranking, queries=len(QUERIES), k=5, gallery=9)


def check_k_beyond_the_gallery(adapter: Adapter, modality: Modality) -> None:
    """With k larger than the gallery the rest is -1 and -inf."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 3)).search(QUERIES, 8)
    _require_ranking(ranking, queries=len(QUERIES), k=8, gallery=3)
    _require(bool((ranking.ids >= 0).any(axis=1).all()), "a query found none of 3 items")


def check_k_of_one(adapter: Adapter, modality: Modality) -> None:
    """One answer a query can be asked for."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 6)).search(QUERIES, 1)
    _require_ranking(ranking, queries=len(QUERIES), k=1, gallery=6)
    _require(bool((ranking.ids >= 0).all()), "a query found nothing with k = 1")


def check_gallery_of_one(adapter: Adapter, modality: Modality) -> None:
    """A gallery of one item answers every query with it."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 1)).search(QUERIES, 2)
    _require_ranking(ranking, queries=len(QUERIES), k=2, gallery=1)
    _require(bool((ranking.ids[:, 0] == 0).all()), "the only item was not found")


def check_no_queries(adapter: Adapter, modality: Modality) -> None:
    """No query gives a ranking of no rows."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 4)).search([], 3)
    _require_ranking(ranking, queries=0, k=3, gallery=4)


def check_empty_query(adapter: Adapter, modality: Modality) -> None:
    """An empty text is a query like any other."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 6)).search(
        ["", "a red disc", "  "], 4
    )
    _require_ranking(ranking, queries=3, k=4, gallery=6)


def check_strange_queries(adapter: Adapter, modality: Modality) -> None:
    """Other scripts, control characters and very long texts are answered."""
    ranking = _fitted(adapter, modality, items_of_noise(modality, 6)).search(STRANGE, 4)
    _require_ranking(ranking, queries=len(STRANGE), k=4, gallery=6)


def check_identical_items_are_all_found(adapter: Adapter, modality: Modality) -> None:
    """Of items with the same content none hides another."""
    items = items_of_noise(modality, 4)
    twins = [Item(f"twin-{item.id}", item.modality, item.media) for item in items[:2]]
    ranking = _fitted(adapter, modality, [*items, *twins]).search(QUERIES, 6)
    _require_ranking(ranking, queries=len(QUERIES), k=6, gallery=6)
    _require(bool((ranking.ids >= 0).all()), "items of the same content were not all found")


def check_ties_do_not_favour_an_item(adapter: Adapter, modality: Modality) -> None:
    """Among items of the same content the row may decide, which the harness shuffles.

    Their ids may not: permuting such a gallery permutes the answers.
    """
    content = items_of_noise(modality, 1)[0]
    same = [Item(f"same-{name}", content.modality, content.media) for name in "adbfce"]
    before = _fitted(adapter, modality, same).search(QUERIES, 6)
    after = _fitted(adapter, modality, same[::-1]).search(QUERIES, 6)
    _require_same(before, after, "the order of items of the same content follows their ids")


def check_answers_do_not_depend_on_the_batch(adapter: Adapter, modality: Modality) -> None:
    """Queries asked together are answered as those asked one by one."""
    retriever = _fitted(adapter, modality, items_of_noise(modality, 9))
    together = retriever.search(QUERIES, 5)
    alone = [retriever.search([query], 5) for query in QUERIES]
    _require_same(
        together, _joined(alone), "a query asked alone is answered otherwise than in a batch"
    )


def check_index_replaces_the_gallery(adapter: Adapter, modality: Modality) -> None:
    """A second gallery is answered as if there had been no first."""
    items = items_of_noise(modality, 11)
    retriever = _fitted(adapter, modality, items[:7])
    retriever.index(items[7:])
    ranking = retriever.search(QUERIES, 7)
    _require_ranking(ranking, queries=len(QUERIES), k=7, gallery=4)
    fresh = _fitted(adapter, modality, items[7:]).search(QUERIES, 7)
    _require_same(ranking, fresh, "what was indexed before changes the answers")


def check_save_and_load(adapter: Adapter, modality: Modality) -> None:
    """A retriever that was saved and loaded gives the same ranking."""
    saved = _fitted(adapter, modality, items_of_noise(modality, 6))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "saved"
        folder.mkdir()
        saved.save(folder)
        loaded = adapter.tiny(0)
        loaded.load(folder)
        ranking = loaded.search(QUERIES, 6)
    _require_same(saved.search(QUERIES, 6), ranking, "what was saved and loaded ranks otherwise")


def check_search_before_index(adapter: Adapter, modality: Modality) -> None:
    """Search before index, and with k < 1, raises ValueError."""
    retriever = _trained(adapter, modality)
    _require_refusal(lambda: retriever.search(QUERIES, 3), "search before index")
    retriever.index(items_of_noise(modality, 3))
    _require_refusal(lambda: retriever.search(QUERIES, 0), "search with k = 0")


def check_spec(adapter: Adapter, modality: Modality) -> None:
    """The spec is plain data, and known before anything is built.

    Where weights are absent, the adapter says what to do and builds nothing.
    """
    _require_plain(adapter.tiny(0).spec)
    with tempfile.TemporaryDirectory() as cache:
        settings = Settings(seed=0, device="cpu", cache=Path(cache))
        state = adapter.availability(settings)
        _require(bool(state.sentence.strip()), "availability gives no sentence")
        if state.ready:
            described = adapter.describe(settings)
            _require_plain(described)
            _require(described == adapter.build(settings).spec, "describe and build disagree")
            return
        try:
            adapter.build(settings)
        except WeightsAbsent:
            return
        raise ConformanceError("it builds a retriever although it says its weights are absent")


def check_add_and_remove(adapter: Adapter, modality: Modality) -> None:
    """An updatable retriever finds what was added and no longer what was removed."""
    items = items_of_noise(modality, 6)
    retriever = _fitted(adapter, modality, items[:4])
    if not isinstance(retriever, Updatable):
        return
    retriever.add(items[4:])
    grown = retriever.search(QUERIES, 7)
    _require_ranking(grown, queries=len(QUERIES), k=7, gallery=6)
    _require(bool(((grown.ids >= 0).sum(axis=1) == 6).all()), "added items are not all found")
    _require_refusal(lambda: retriever.add(items[:1]), "adding an item that is there")
    _require_refusal(lambda: retriever.remove(["nobody"]), "removing an item that is not there")
    retriever.remove([item.id for item in items[:5]])
    left = retriever.search(QUERIES, 7)
    _require_ranking(left, queries=len(QUERIES), k=7, gallery=1)
    _require(bool((left.ids[:, 0] == 0).all()), "the item that is left is not found")


def check_texts_are_ranked(adapter: Adapter, modality: Modality) -> None:
    """A retriever that ranks texts ranks those it was given, and none before."""
    items = items_of_noise(modality, 4)
    retriever = _fitted(adapter, modality, items)
    if not isinstance(retriever, TextRanker):
        return
    _require_refusal(lambda: retriever.search_texts(items, 3), "search_texts before index_texts")
    retriever.index_texts(STRANGE)
    retriever.index_texts(QUERIES)
    _require_refusal(lambda: retriever.search_texts(items, 0), "search_texts with k = 0")
    texts = len(QUERIES)
    some = retriever.search_texts(items, 3)
    _require_ranking(some, queries=len(items), k=3, gallery=texts)
    beyond = retriever.search_texts(items, texts + 2)
    _require_ranking(beyond, queries=len(items), k=texts + 2, gallery=texts)
    _require(bool(((beyond.ids >= 0).sum(axis=1) == texts).all()), "texts are not all found")
    _require_ranking(retriever.search_texts([], 3), queries=0, k=3, gallery=texts)
    unseen = retriever.search_texts(items_of_noise(modality, 6)[4:], 3)
    _require_ranking(unseen, queries=2, k=3, gallery=texts)
    answers = retriever.search(QUERIES, 6)
    _require_ranking(answers, queries=len(QUERIES), k=6, gallery=len(items))


def check_texts_do_not_depend_on_the_batch(adapter: Adapter, modality: Modality) -> None:
    """Items asked together are answered as those asked one by one."""
    items = items_of_noise(modality, 9)
    retriever = _fitted(adapter, modality, items[:4])
    if not isinstance(retriever, TextRanker):
        return
    retriever.index_texts(QUERIES)
    together = retriever.search_texts(items[2:], 4)
    alone = [retriever.search_texts([item], 4) for item in items[2:]]
    _require_same(
        together, _joined(alone), "an item asked alone is answered otherwise than in a batch"
    )


def _trained(adapter: Adapter, modality: Modality) -> Retriever:
    retriever = adapter.tiny(0)
    ranked = retriever.spec.modalities
    _require(modality in ranked, f"its spec names {', '.join(ranked)}, not {modality}")
    retriever.fit(pairs_of_noise(modality, 20, 12), pairs_of_noise(modality, 40, 4))
    return retriever


def _fitted(adapter: Adapter, modality: Modality, gallery: Sequence[Item]) -> Retriever:
    retriever = _trained(adapter, modality)
    retriever.index(gallery)
    return retriever


def _joined(rankings: Sequence[Ranking]) -> Ranking:
    ids = np.concatenate([one.ids for one in rankings])
    return Ranking(ids, np.concatenate([one.scores for one in rankings]))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ConformanceError(otherwise)


def _require_ranking(ranking: Ranking, queries: int, k: int, gallery: int) -> None:
    ids, scores = ranking.ids, ranking.scores
    _require(ids.shape == (queries, k), f"the ids have shape {ids.shape}, not {(queries, k)}")
    found = ids >= 0
    _require(bool((ids >= -1).all() and (ids < gallery).all()), "an id is out of range")
    _require(bool((found[:, :-1] >= found[:, 1:]).all()), "an item follows a place left empty")
    _require(bool(np.isfinite(scores[found]).all()), "a score is not finite")
    _require(bool((scores[~found] == -np.inf).all()), "the score of an empty place is not -inf")
    _require(bool((scores[:, :-1] >= scores[:, 1:]).all()), "the scores do not descend")
    for row in ids:
        kept = row[row >= 0]
        _require(len(set(kept.tolist())) == len(kept), "an item is ranked twice")


def _require_same(one: Ranking, other: Ranking, otherwise: str) -> None:
    same = np.array_equal(one.ids, other.ids)
    _require(same and np.allclose(one.scores, other.scores, rtol=1e-4, atol=1e-5), otherwise)


def _require_refusal(action: Callable[[], object], what: str) -> None:
    try:
        action()
    except ValueError:
        return
    raise ConformanceError(f"{what} does not raise ValueError")


def _require_plain(spec: RetrieverSpec) -> None:
    plain = asdict(spec)
    try:
        again = json.loads(json.dumps(plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConformanceError(f"the spec cannot be written as JSON: {error}") from error
    plain["modalities"] = list(plain["modalities"])
    _require(again == plain, "the spec is not the same once written as JSON and read")
