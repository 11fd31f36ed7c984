"""Recall and reciprocal rank against hand-computed cases, slow versions and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score, top_k_accuracy_score

from bench.metrics import (
    METRIC_NAMES,
    Ranks,
    first_relevant_ranks,
    mrr_at_k,
    per_query,
    recall_at_k,
)


def ranks(*pairs: tuple[int, int]) -> Ranks:
    """One right answer to each question."""
    best, worst = np.array(pairs).T
    return Ranks(best, worst, (best > 0).astype(np.int64))


def test_without_ties_they_are_the_textbook_metrics() -> None:
    found = per_query(ranks((1, 1), (3, 3), (10, 10), (0, 0)))
    assert found["R@1"].tolist() == [1, 0, 0, 0]
    assert found["R@5"].tolist() == [1, 1, 0, 0]
    assert found["R@10"].tolist() == [1, 1, 1, 0]
    assert found["MRR@10"] == pytest.approx([1, 1 / 3, 1 / 10, 0])
    assert tuple(found) == METRIC_NAMES


def test_ties_are_shared() -> None:
    tied = ranks((1, 4), (2, 3), (4, 7))
    assert recall_at_k(tied, 1) == pytest.approx([1 / 4, 0, 0])
    assert recall_at_k(tied, 2) == pytest.approx([2 / 4, 1 / 2, 0])
    assert recall_at_k(tied, 5) == pytest.approx([1, 1, 2 / 4])
    assert mrr_at_k(tied, 10) == pytest.approx(
        [(1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, (1 / 2 + 1 / 3) / 2, (1 / 4 + 1 / 5 + 1 / 6 + 1 / 7) / 4]
    )


def test_reciprocal_rank_is_nothing_beyond_its_depth() -> None:
    assert mrr_at_k(ranks((11, 11), (9, 12)), 10) == pytest.approx([0, (1 / 9 + 1 / 10) / 4])


def test_ranks_of_a_ranking() -> None:
    ids = np.array([[4, 2, 7], [4, 2, 7], [4, 2, -1], [5, 6, 7]])
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 3.0, 3.0], [3.0, 1.0, -np.inf], [2.0, 1.0, 1.0]])
    relevant = np.array([[2, -1], [2, -1], [7, -1], [7, 5]])
    found = first_relevant_ranks(ids, scores, relevant)
    assert found.best.tolist() == [2, 1, 0, 1]
    assert found.worst.tolist() == [2, 3, 0, 1]
    assert found.right.tolist() == [1, 1, 0, 1]


def test_several_right_answers_share_a_score() -> None:
    """Two of four tied answers are right: 2 of 4 stand first, then 2/4 x 2/3 second."""
    ids, scores = np.array([[3, 0, 1, 2, 4]]), np.array([[2.0, 1.0, 1.0, 1.0, 1.0]])
    found = first_relevant_ranks(ids, scores, np.array([[1, 4]]))
    assert (found.best[0], found.worst[0], found.right[0]) == (2, 4, 2)
    assert recall_at_k(found, 1) == pytest.approx([0])
    assert recall_at_k(found, 2) == pytest.approx([1 / 2])
    assert recall_at_k(found, 3) == pytest.approx([1 / 2 + 1 / 3])
    assert recall_at_k(found, 4) == pytest.approx([1])
    assert mrr_at_k(found, 10) == pytest.approx([(1 / 2) / 2 + (1 / 3) / 3 + (1 / 6) / 4])


@pytest.mark.parametrize(
    ("best", "worst", "right"),
    [(2, 1, 1), (0, 1, 1), (-1, 3, 1), (1, 1, 0), (0, 0, 1)],
)
def test_impossible_ranks_are_refused(best: int, worst: int, right: int) -> None:
    with pytest.raises(ValueError, match=r"best|right"):
        Ranks(np.array([best]), np.array([worst]), np.array([right]))


SCORES = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(SCORES, st.data(), st.integers(1, 7))
def test_ties_are_the_mean_over_every_order(scores: list[int], data: st.DataObject, k: int) -> None:
    """Slow version: sort the gallery in each of its orders, break ties by the order, average."""
    right = data.draw(st.integers(0, len(scores) - 1))
    hits, reciprocals = [], []
    for order in itertools.permutations(range(len(scores))):
        place = sorted(order, key=lambda row: -scores[row]).index(right) + 1
        hits.append(place <= k)
        reciprocals.append(1 / place if place <= k else 0)
    rows = np.argsort(-np.array(scores), kind="stable")
    found = first_relevant_ranks(rows[None], np.array(scores)[rows][None], np.array([[right]]))
    assert recall_at_k(found, k)[0] == pytest.approx(np.mean(hits))
    assert mrr_at_k(found, k)[0] == pytest.approx(np.mean(reciprocals))


@given(SCORES, st.data(), st.integers(1, 7))
def test_several_right_answers_are_the_mean_over_every_order(
    scores: list[int], data: st.DataObject, k: int
) -> None:
    rows = range(len(scores))
    right = data.draw(st.sets(st.sampled_from(rows), min_size=1))
    places = [
        min(sorted(order, key=lambda row: -scores[row]).index(row) for row in right) + 1
        for order in itertools.permutations(rows)
    ]
    ids = np.argsort(-np.array(scores), kind="stable")
    found = first_relevant_ranks(ids[None], np.array(scores)[ids][None], np.array([[*right]]))
    assert recall_at_k(found, k)[0] == pytest.approx(np.mean([place <= k for place in places]))
    reciprocals = [1 / place if place <= k else 0 for place in places]
    assert mrr_at_k(found, k)[0] == pytest.approx(np.mean(reciprocals))


@given(st.integers(1, 30), st.integers(0, 30))
def test_recall_grows_with_depth_and_bounds_the_reciprocal_rank(best: int, ties: int) -> None:
    found = ranks((best, best + ties))
    recalls = [recall_at_k(found, k)[0] for k in range(1, 70)]
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1
    assert recalls[0] <= mrr_at_k(found, 10)[0] <= recalls[9]


def test_agrees_with_scikit_learn_where_nothing_is_tied() -> None:
    rng = np.random.default_rng(3)
    scores = rng.permuted(np.tile(np.arange(10.0), (200, 1)), axis=1)
    right = rng.integers(0, 10, 200)
    ids = np.argsort(-scores, axis=1)
    found = per_query(
        first_relevant_ranks(ids, np.take_along_axis(scores, ids, axis=1), right[:, None])
    )
    for k in (1, 5):
        peer = top_k_accuracy_score(right, scores, k=k, labels=np.arange(10))
        assert found[f"R@{k}"].mean() == pytest.approx(peer)
    peer = label_ranking_average_precision_score(np.eye(10)[right], scores)
    assert found["MRR@10"].mean() == pytest.approx(peer)


def test_a_constant_scorer_gets_what_chance_gets() -> None:
    gallery, queries = 40, 4000
    rng = np.random.default_rng(0)
    order = rng.permutation(gallery)
    ids = np.tile(order[:10], (queries, 1))
    found = per_query(
        first_relevant_ranks(ids, np.ones(ids.shape), rng.integers(0, gallery, (queries, 1)))
    )
    assert found["R@1"].mean() == pytest.approx(1 / gallery, abs=0.005)
    assert found["R@5"].mean() == pytest.approx(5 / gallery, abs=0.02)
    assert found["R@10"].mean() == pytest.approx(10 / gallery, abs=0.03)
