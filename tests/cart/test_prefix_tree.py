"""The prefix tree against a plain scan of all identifiers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cart.prefix_tree import ENDED, PrefixTree
from tests.cart.references import valid_tokens

# Vocabularies too wide for tables that are addressed by the tokens.
WIDE = (5000,) * 5

different_identifiers = (
    st.integers(1, 5)
    .flatmap(
        lambda length: hnp.arrays(
            np.int64, st.tuples(st.integers(1, 40), st.just(length)), elements=st.integers(0, 6)
        )
    )
    .map(lambda rows: np.random.default_rng(0).permutation(np.unique(rows, axis=0)))
)
sizes = st.sampled_from([None, WIDE])


def form(tree: PrefixTree) -> str:
    return type(tree.levels).__name__


@given(different_identifiers, sizes)
def test_every_walk_ends_at_its_item_and_offers_only_what_a_scan_finds(
    rows: np.ndarray, sizes: tuple[int, ...] | None
) -> None:
    tree = PrefixTree.build(rows, sizes=sizes and sizes[: rows.shape[1]])
    assert tree.length == rows.shape[1]
    for row, identifier in enumerate(rows.tolist()):
        node = torch.tensor([0])
        for level, token in enumerate(identifier):
            children = tree.children(level, node)
            assert children.tokens.shape[-1] == tree.widest[level]
            if children.dense:
                assert children.tokens.flatten().tolist() == list(range(tree.widest[level]))
            offered = children.tokens[children.valid].tolist()
            assert offered == valid_tokens(rows, identifier[:level])
            if level == tree.length - 1:
                assert tree.items_below(node).item() == len(offered)
            node = children.nodes[children.valid][offered.index(token)].unsqueeze(0)
        assert tree.items[node].item() == row


def test_small_vocabularies_are_addressed_and_others_compressed() -> None:
    few = np.array([[0, 0], [0, 1], [1, 0]])
    assert form(PrefixTree.build(few)) == "Direct"
    assert form(PrefixTree.build(few, sizes=(5000, 2))) == "Compressed"
    assert form(PrefixTree.build(np.array([[0, 0], [1, ENDED]]))) == "Compressed"
    assert form(PrefixTree.build(np.array([[100, 100, 0], [0, 0, 0]]))) == "Compressed"


@given(different_identifiers)
def test_identifiers_are_given_back_as_they_came(rows: np.ndarray) -> None:
    for vocabularies in (None, WIDE[: rows.shape[1]]):
        np.testing.assert_array_equal(
            PrefixTree.build(rows, sizes=vocabularies).identifiers(), rows
        )


def test_identifiers_too_long_for_one_number_are_ordered_all_the_same() -> None:
    rows = np.random.default_rng(0).integers(0, 2**20, (50, 7))
    rows[:, 0] = np.arange(50) % 2
    tree = PrefixTree.build(rows)
    assert tree.items.tolist() == sorted(range(50), key=lambda row: rows[row].tolist())
    np.testing.assert_array_equal(tree.identifiers(), rows)


@pytest.mark.parametrize("sizes", [None, (5000, 5000)])
def test_children_of_several_nodes_are_padded_and_masked(sizes: tuple[int, ...] | None) -> None:
    tree = PrefixTree.build(np.array([[1, 1], [1, 2], [1, 9], [0, 4]]), sizes=sizes)
    children = tree.children(1, torch.tensor([[0, 1]]))
    assert children.valid.tolist() == [[[True, False, False], [True, True, True]]]
    assert children.tokens[children.valid].tolist() == [4, 1, 2, 9]


def test_tokens_that_count_items_without_a_gap_need_no_gather() -> None:
    rows = np.array([[0, 0], [0, 1], [2, 0]])
    assert PrefixTree.build(rows).children(1, torch.tensor([0])).dense
    assert not PrefixTree.build(rows).without([0]).children(1, torch.tensor([0])).dense
    assert PrefixTree.build(rows).without([1]).children(1, torch.tensor([0])).dense


def test_a_node_that_no_item_reaches_has_no_children() -> None:
    tree = PrefixTree.build(np.array([[0, 0, 0], [2, 1, 0]]))
    children = tree.children(1, torch.tensor([0, 1, 2]))
    assert children.valid.tolist() == [[True, False], [False, False], [False, True]]
    assert tree.items_below(torch.tensor([1, 3, 5])).tolist() == [0, 0, 1]


def test_shared_identifiers_and_empty_galleries_are_refused() -> None:
    with pytest.raises(ValueError, match="share an identifier"):
        PrefixTree.build(np.array([[1, 2], [1, 2]]))
    with pytest.raises(ValueError, match="nothing to build"):
        PrefixTree.build(np.empty((0, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="beginning of another"):
        PrefixTree.build(np.array([[1, ENDED], [1, 2]]))


def test_tokens_outside_their_vocabulary_are_refused() -> None:
    with pytest.raises(ValueError, match="tokens count from 0"):
        PrefixTree.build(np.array([[1, -2]]))
    with pytest.raises(ValueError, match="need vocabularies"):
        PrefixTree.build(np.array([[1, 2]]), sizes=(1, 3))
    with pytest.raises(ValueError, match="need vocabularies"):
        PrefixTree.build(np.array([[1, 2, 0]]), sizes=(2,))


def test_a_short_identifier_ends_in_a_child_without_a_token() -> None:
    tree = PrefixTree.build(np.array([[4, ENDED], [3, 0], [3, 5]]))
    children = tree.children(1, torch.tensor([0, 1]))
    assert children.valid.tolist() == [[True, True], [True, False]]
    assert (children.ended & children.valid).tolist() == [[False, False], [True, False]]
    assert tree.items[children.nodes[1, 0]].item() == 0


def test_bytes_counts_every_table() -> None:
    rows = np.array([[0, 0], [0, 1], [1, 0]])
    assert PrefixTree.build(rows).bytes == 2 + 4 * (3 + 3) + 4 * 3
    assert PrefixTree.build(rows, sizes=WIDE[:2]).bytes == 4 * (2 + 2) + 4 * (3 + 3) + 4 * 3
