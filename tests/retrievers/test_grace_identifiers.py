"""GRACE's identifiers against cases worked by hand and a slow, obvious recursion."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from cart.captions import Captioned
from cart.prefix_tree import ENDED, PrefixTree
from retrievers.grace.identifiers import (
    caption_identifiers,
    numbers_within,
    own_captions,
    structured_identifiers,
)


def slow_identifiers(
    vectors: np.ndarray, branches: int, leaf: int, restarts: int, seed: int
) -> list[list[int]]:
    """Recursion on lists of rows, as GRACE describes it."""
    found: list[list[int]] = [[] for _ in vectors]

    def part(rows: list[int]) -> None:
        if len(rows) <= leaf:
            for number, row in enumerate(rows):
                found[row].append(number)
            return
        places = KMeans(branches, n_init=restarts, random_state=seed).fit_predict(vectors[rows])
        for place in range(branches):
            inside = [row for row, where in zip(rows, places, strict=True) if where == place]
            for row in inside:
                found[row].append(place)
            if len(inside) > 1:
                part(inside)

    part(list(range(len(vectors))))
    return found


def without_ends(identifiers: np.ndarray) -> list[list[int]]:
    return [[token for token in row if token != ENDED] for row in identifiers.tolist()]


@pytest.mark.parametrize(
    ("items", "branches", "leaf"), [(200, 5, 5), (90, 4, 7), (60, 8, 9), (9, 3, 9)]
)
def test_structured_identifiers_equal_the_slow_recursion(
    items: int, branches: int, leaf: int
) -> None:
    vectors = np.random.default_rng(items).normal(size=(items, 6)).astype(np.float32)
    found = structured_identifiers(vectors, branches, leaf, restarts=2, seed=3)
    assert without_ends(found) == slow_identifiers(vectors, branches, leaf, 2, 3)


def test_clusters_that_anyone_can_see_share_their_first_token() -> None:
    centres = np.array([[0, 0], [100, 0], [0, 100]], np.float32)
    of = [0, 1, 2, 0, 1, 0]
    near = np.array([[0, 0], [0, 0], [0, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    found = structured_identifiers(centres[of] + near, branches=3, leaf=3, restarts=3, seed=0)
    first = found[:, 0]
    assert first[0] == first[3] == first[5] and first[1] == first[4]
    assert len({*first.tolist()}) == 3
    # Three items, two and one are left: they are numbered in row order, the last needs no number.
    assert found[:, 1].tolist() == [0, 0, ENDED, 1, 1, 2]


def test_one_item_has_an_identifier_too() -> None:
    assert structured_identifiers(np.ones((1, 4), np.float32), 30, 30, 1, 0).tolist() == [[0]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(2, 4), st.integers(0, 9))
def test_structured_identifiers_lead_to_one_item_each_even_where_many_are_the_same(
    kinds: list[int], branches: int, seed: int
) -> None:
    vectors = np.eye(4, dtype=np.float32)[kinds]
    found = structured_identifiers(vectors, branches, branches, 1, seed)
    assert found.max() < branches
    assert sorted(PrefixTree.build(found).items.tolist()) == list(range(len(kinds)))
    ended = np.maximum.accumulate(found == ENDED, axis=1)
    assert ((found == ENDED) == ended).all()


def test_no_more_than_a_leaf_of_items_share_all_but_the_last_token() -> None:
    vectors = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
    paths = sorted(without_ends(structured_identifiers(vectors, 6, 4, 1, 0)))
    sizes = [len(list(group)) for _, group in groupby(paths, key=lambda path: path[:-1])]
    assert max(sizes) <= 6


def test_captions_are_cut_and_those_that_are_the_same_are_numbered() -> None:
    captions = [[5, 6], [5, 6, 7, 8], [5, 6], [], [5, 6, 7, 9], [5, 6]]
    numbers = numbers_within(captions, longest=4)
    assert numbers.tolist() == [0, 0, 1, 0, 1, 2]
    assert caption_identifiers(captions, numbers, 100, longest=4).tolist() == [
        [5, 6, 100, ENDED],
        [5, 6, 7, 100],
        [5, 6, 101, ENDED],
        [100, ENDED, ENDED, ENDED],
        [5, 6, 7, 101],
        [5, 6, 102, ENDED],
    ]


@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=30))
def test_captions_of_any_kind_lead_to_one_item_each(captions: list[list[int]]) -> None:
    found = caption_identifiers(captions, numbers_within(captions, 4), 3, 4)
    tree = PrefixTree.build(found)
    assert sorted(tree.items.tolist()) == list(range(len(captions)))


def test_a_training_item_is_named_by_its_own_caption_that_lies_nearest() -> None:
    train = Captioned(
        np.eye(3, dtype=np.float32),
        ("far", "near", "of the second"),
        (0, 0, 1),
        np.array([[0, 1, 0], [1, 0, 0], [1, 0, 0]], np.float32),
    )
    assert own_captions(train) == ["near", "of the second", ""]
    unseen = Captioned(train.embeddings, train.captions, train.rows)
    assert own_captions(unseen) == ["far", "of the second", ""]
