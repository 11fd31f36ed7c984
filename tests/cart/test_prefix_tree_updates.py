"""Items put into a prefix tree and taken out, against the tree built anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cart.prefix_tree import ENDED, PrefixTree
from tests.cart.references import valid_tokens

FORMS = {"Direct": (4, 3, 3), "Compressed": (5000, 5000, 5000)}
POOL = np.stack(np.meshgrid([0, 1, 3], [0, 2], [0, 1, 2]), axis=-1).reshape(-1, 3)

steps = st.lists(
    st.one_of(
        st.lists(st.integers(0, len(POOL) - 1), max_size=6, unique=True).map(lambda x: ("put", x)),
        st.lists(st.integers(0, len(POOL) - 1), max_size=4, unique=True).map(lambda x: ("take", x)),
    ),
    max_size=8,
)


def check_walks(tree: PrefixTree, rows: np.ndarray) -> None:
    """Every prefix of every row offers what a scan of the rows finds, and leads to its item."""
    for row, identifier in enumerate(rows.tolist()):
        node = torch.tensor([0])
        for level, token in enumerate(identifier):
            children = tree.children(level, node)
            offered = children.tokens[children.valid].tolist()
            ended = children.ended & children.valid
            assert offered == [max(t, 0) for t in valid_tokens(rows, identifier[:level])]
            assert bool(ended.any()) == (token == ENDED)
            node = children.nodes[children.valid][offered.index(max(token, 0))].unsqueeze(0)
        assert tree.items[node].item() == row


@pytest.mark.parametrize("form", FORMS)
@given(first=st.lists(st.integers(0, len(POOL) - 1), min_size=1, unique=True), steps=steps)
def test_any_sequence_of_changes_gives_the_tree_built_anew(
    form: str, first: list[int], steps: list[tuple[str, list[int]]]
) -> None:
    held = list(first)
    tree = PrefixTree.build(POOL[held], sizes=FORMS[form])
    assert type(tree.levels).__name__ == form
    for change, chosen in steps:
        if change == "put":
            added = [row for row in chosen if row not in held]
            held += added
            tree = tree.with_items(POOL[added])
        else:
            gone = [held.index(row) for row in chosen if row in held]
            if len(gone) == len(held):
                continue
            held = [row for place, row in enumerate(held) if place not in gone]
            tree = tree.without(gone)
    anew = PrefixTree.build(POOL[held], sizes=FORMS[form])
    np.testing.assert_array_equal(tree.identifiers(), POOL[held])
    assert tree.items.tolist() == anew.items.tolist()
    check_walks(tree, POOL[held])
    assert (tree.widest, tree.bytes) == (anew.widest, anew.bytes)


@given(
    hnp.arrays(np.int64, (24, 4), elements=st.integers(0, 3)).map(
        lambda rows: np.unique(rows, axis=0)
    ),
    st.data(),
)
def test_ragged_identifiers_go_in_and_out(rows: np.ndarray, data: st.DataObject) -> None:
    # What stands behind the first 3 is cut off, where no other identifier begins so.
    for row in rows:
        ends = np.flatnonzero(row == 3)
        if len(ends):
            row[ends[0] + 1 :] = ENDED
    rows = np.random.default_rng(0).permutation(np.unique(rows, axis=0))
    cut = data.draw(st.integers(1, len(rows)))
    tree = PrefixTree.build(rows[:cut], sizes=(5000,) * 4).with_items(rows[cut:])
    np.testing.assert_array_equal(tree.identifiers(), rows)
    check_walks(tree, rows)
    kept = data.draw(st.integers(1, len(rows)))
    check_walks(tree.without(np.arange(kept, len(rows))), rows[:kept])


def test_a_tree_is_not_changed_by_what_is_made_from_it() -> None:
    rows = POOL[:6]
    tree = PrefixTree.build(rows)
    tree.with_items(POOL[6:9])
    tree.without([0, 2])
    np.testing.assert_array_equal(tree.identifiers(), rows)
    check_walks(tree, rows)


@pytest.mark.parametrize("form", FORMS)
def test_an_identifier_that_is_there_already_or_comes_twice_is_refused(form: str) -> None:
    tree = PrefixTree.build(POOL[:4], sizes=FORMS[form])
    with pytest.raises(ValueError, match="share an identifier"):
        tree.with_items(POOL[3:5])
    with pytest.raises(ValueError, match="share an identifier"):
        tree.with_items(POOL[[7, 8, 7]])
    with pytest.raises(ValueError, match="count from 0"):
        tree.with_items(np.array([[0, 0, -2]]))


def test_an_identifier_that_begins_another_is_refused_when_it_is_put_in() -> None:
    tree = PrefixTree.build(np.array([[1, ENDED], [2, 0]]))
    for late in ([[1, 0]], [[2, ENDED]], [[3, ENDED], [3, 1]]):
        with pytest.raises(ValueError, match="beginning of another"):
            tree.with_items(np.array(late))


def test_tokens_that_the_tables_have_no_room_for_give_a_tree_built_anew() -> None:
    rows = np.array([[0, 0], [1, 0]])
    for late in ([[9, 0]], [[0, ENDED]], [[300, 5]]):
        both = np.concatenate([rows, late])
        if late == [[0, ENDED]]:
            both[0, 0] = 7
        tree = PrefixTree.build(both[:2]).with_items(both[2:])
        np.testing.assert_array_equal(tree.identifiers(), both)
        check_walks(tree, both)


def test_identifiers_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 tokens"):
        PrefixTree.build(POOL).with_items(np.array([[9, 9]]))


def test_rows_that_are_not_there_and_the_last_item_cannot_be_taken_out() -> None:
    tree = PrefixTree.build(POOL[:2])
    with pytest.raises(ValueError, match="one at least"):
        tree.without([0, 1])
    with pytest.raises(IndexError):
        tree.without([2])
    assert tree.without([]).items.tolist() == tree.items.tolist()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("form", FORMS)
def test_a_tree_on_a_device_stays_there_and_answers_alike(form: str) -> None:
    here = PrefixTree.build(POOL[:9], sizes=FORMS[form]).with_items(POOL[9:]).without([3])
    there = PrefixTree.build(POOL[:9], "cuda", FORMS[form]).with_items(POOL[9:]).without([3])
    np.testing.assert_array_equal(there.identifiers(), here.identifiers())
    nodes = torch.zeros(2, dtype=torch.int64)
    for level in range(here.length):
        expected, children = here.children(level, nodes), there.children(level, nodes.cuda())
        assert children.valid.is_cuda
        assert torch.equal(children.valid.cpu(), expected.valid)
        assert torch.equal(children.tokens.cpu(), expected.tokens)
        assert torch.equal(children.nodes.cpu(), expected.nodes)
