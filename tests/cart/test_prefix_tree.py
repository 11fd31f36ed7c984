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

different_identifiers = (
    st.integers(1, 5)
    .flatmap(
        lambda length: hnp.arrays(
            np.int64, st.tuples(st.integers(1, 40), st.just(length)), elements=st.integers(0, 6)
        )
    )
    .map(lambda rows: np.random.default_rng(0).permutation(np.unique(rows, axis=0)))
)


@given(different_identifiers)
def test_every_walk_ends_at_its_item_and_offers_only_what_a_scan_finds(rows: np.ndarray) -> None:
    tree = PrefixTree.build(rows)
    assert tree.length == rows.shape[1]
    for row, identifier in enumerate(rows.tolist()):
        node = torch.tensor([0])
        for level, token in enumerate(identifier):
            children = tree.children(level, node)
            offered = children.tokens[children.valid].tolist()
            assert offered == valid_tokens(rows, identifier[:level])
            node = children.nodes[children.valid][offered.index(token)].unsqueeze(0)
        assert tree.items[node].item() == row


def test_children_of_several_nodes_are_padded_and_masked() -> None:
    tree = PrefixTree.build(np.array([[5, 1], [5, 2], [5, 9], [7, 4]]))
    children = tree.children(1, torch.tensor([[0, 1]]))
    assert children.valid.tolist() == [[[True, True, True], [True, False, False]]]
    assert children.tokens[children.valid].tolist() == [1, 2, 9, 4]


def test_shared_identifiers_and_empty_galleries_are_refused() -> None:
    with pytest.raises(ValueError, match="share an identifier"):
        PrefixTree.build(np.array([[1, 2], [1, 2]]))
    with pytest.raises(ValueError, match="nothing to build"):
        PrefixTree.build(np.empty((0, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="beginning of another"):
        PrefixTree.build(np.array([[1, ENDED], [1, 2]]))


def test_a_short_identifier_ends_in_a_child_without_a_token() -> None:
    tree = PrefixTree.build(np.array([[4, ENDED], [3, 0], [3, 5]]))
    children = tree.children(1, torch.tensor([0, 1]))
    assert children.valid.tolist() == [[True, True], [True, False]]
    assert (children.ended & children.valid).tolist() == [[False, False], [True, False]]
    assert tree.items[children.nodes[1, 0]].item() == 0


def test_bytes_counts_every_table() -> None:
    tree = PrefixTree.build(np.array([[0, 0], [0, 1], [1, 0]]))
    assert tree.bytes == 4 * (2 + 3) + 4 * (2 + 3) + 8 * 3
