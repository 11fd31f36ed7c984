"""A certified answer is the model's own k best: held against every item scored."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cart.beam import beam_search
from cart.config import Renormalise, SearchConfig
from cart.engine import Engine, Numbers
from cart.exhaustive import score_all
from cart.model import CartModel, Encoded
from cart.prefix_tree import ENDED, PrefixTree
from cart.search import Answer, search
from cart.tokenizer import pad
from cart.widening import widths
from tests.cart.references import exhaustive
from tests.cart.test_beam import queries, random_identifiers, random_model

RULES: tuple[Renormalise, ...] = get_args(Renormalise)
ROUNDING = 1e-3


def assert_true_best(found: Answer, truth: np.ndarray) -> None:
    """Where certified: what all items' scores ``truth`` [queries, items] give, up to ties."""
    for query in np.flatnonzero(found.certified):
        items = found.items[query][found.items[query] >= 0]
        assert len({*items.tolist()}) == min(found.items.shape[1], truth.shape[1])
        np.testing.assert_allclose(
            found.scores[query, : len(items)], truth[query, items], atol=ROUNDING
        )
        others = np.delete(truth[query], items)
        assert others.max(initial=-np.inf) <= found.scores[query, len(items) - 1] + ROUNDING


def favour(model: CartModel, level: int, token: int, logit: float) -> None:
    head = model.heads[level]
    assert isinstance(head, torch.nn.Linear)
    with torch.no_grad():
        head.bias[token] = logit


def forked() -> tuple[CartModel, PrefixTree]:
    """Where a beam of 1 goes wrong: the likeliest code has four items of a quarter each, the
    other one."""
    model = random_model(0, [2, 4])
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.zero_()
    favour(model, 0, 0, 0.5)
    return model, PrefixTree.build(np.array([[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]]))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.integers(1, 80),
    st.integers(1, 4) | st.integers(1, 12),
    st.integers(1, 6) | st.integers(1, 50),
    st.sampled_from([0, 7, 100, 100]),
    st.sampled_from(RULES),
)
def test_a_certified_answer_is_what_scoring_every_item_gives(
    seed: int,
    levels: list[int],
    items: int,
    k: int,
    beam: int,
    widest: int,
    renormalise: Renormalise,
) -> None:
    model = random_model(seed, levels)
    tree = PrefixTree.build(random_identifiers(seed, items, levels))
    asked, rule = queries(seed, 4), SearchConfig(beam, renormalise, widest)
    truth = score_all(model, tree, asked, renormalise)
    for found in (
        search(model, tree, asked, k, rule, "cpu"),
        Engine(model, tree, rule).search(asked, k),
    ):
        assert_true_best(found, truth)
        assert (found.beams >= max(beam, k)).all()
        assert (found.beams <= max(beam, k, widest)).all()
        if max(beam, k, widest) >= len(tree.items):
            assert found.certified.all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(2, 6), min_size=2, max_size=5),
    st.integers(1, 5),
    st.integers(1, 10),
    st.sampled_from([0, 5, 16, 64]),
    st.sampled_from(RULES),
)
def test_the_engine_certifies_at_the_widths_of_the_plain_beam(
    seed: int, levels: list[int], k: int, beam: int, widest: int, renormalise: Renormalise
) -> None:
    model = random_model(seed, levels)
    tree = PrefixTree.build(random_identifiers(seed, 120, levels))
    asked, rule = queries(seed, 12), SearchConfig(beam, renormalise, widest)
    plain = search(model, tree, asked, k, rule, "cpu")
    fast = Engine(model, tree, rule).search(asked, k)
    np.testing.assert_array_equal(fast.certified, plain.certified)
    np.testing.assert_array_equal(fast.beams, plain.beams)
    np.testing.assert_allclose(fast.scores, plain.scores, atol=ROUNDING)
    assert fast.tokens_decoded <= plain.tokens_decoded


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from(RULES))
def test_scoring_every_item_at_once_equals_walking_each(
    seed: int, length: int, renormalise: Renormalise
) -> None:
    levels = [4, 3, 5, 3][:length]
    model, rows = random_model(seed, levels), random_identifiers(seed, 20, levels)
    asked = queries(seed, 3)
    scores = score_all(model, PrefixTree.build(rows), asked, renormalise)
    for query, text in enumerate(asked):
        np.testing.assert_allclose(
            scores[query], exhaustive(model, rows, *pad([text]), renormalise), atol=ROUNDING
        )


@pytest.mark.parametrize("renormalise", RULES)
def test_short_identifiers_are_scored_and_certified_as_far_as_they_go(
    renormalise: Renormalise,
) -> None:
    levels = [3, 4, 3, 2]
    ragged = [[0], [1, 3], [1, 0], [1, 1, 2], [2, 2, 0, 1], [2, 2, 0, 0], [2, 2, 1]]
    tree = PrefixTree.build(np.array([one + [ENDED] * (4 - len(one)) for one in ragged]))
    model, asked = random_model(5, levels), queries(5, 6)
    truth = score_all(model, tree, asked, renormalise)
    if renormalise == "everything":
        np.testing.assert_allclose(np.exp(truth).sum(axis=1), 1, atol=1e-5)
    for beam in (1, 2, 7):
        found = search(model, tree, asked, beam, SearchConfig(beam, renormalise), "cpu")
        assert_true_best(found, truth)
    assert found.certified.all()


def test_a_beam_that_goes_wrong_is_not_certified_and_a_wider_one_is_right() -> None:
    model, tree = forked()
    for widest, best, certified, beam in ((0, {0, 1, 2, 3}, False, 1), (8, {4}, True, 2)):
        rule = SearchConfig(1, "counter", widest)
        for found in (
            search(model, tree, [[3], [4, 5]], 1, rule, "cpu"),
            Engine(model, tree, rule).search([[3], [4, 5]], 1),
        ):
            assert {*found.items[:, 0].tolist()} <= best
            assert found.certified.tolist() == [certified] * 2
            assert found.beams.tolist() == [beam] * 2


def test_the_bound_is_the_best_prefix_that_the_beam_had_no_room_for() -> None:
    model, tree = forked()
    favour(model, 1, 2, 0.3)
    ids, mask = pad([[3]])
    narrow = beam_search(model, tree, ids, mask, 3, 3, "counter")
    assert narrow.certified.all() and narrow.let_go.tolist() == [-torch.inf]
    wrong = beam_search(model, tree, ids, mask, 1, 1, "counter")
    assert wrong.items.tolist() == [[2]] and not wrong.certified.any()
    assert float(wrong.let_go[0]) == pytest.approx(-np.log1p(np.exp(0.5)))


def test_what_ties_with_the_kth_does_not_uncertify_it() -> None:
    model, _ = forked()
    favour(model, 0, 0, 0.0)
    tree = PrefixTree.build(np.array([[0, 0], [1, 0]]))
    for found in (
        search(model, tree, [[3]], 1, SearchConfig(1), "cpu"),
        Engine(model, tree, SearchConfig(1)).search([[3]], 1),
    ):
        assert found.certified.all()
        assert found.scores[0, 0] == pytest.approx(-np.log(2))


def test_a_gallery_of_fewer_than_k_is_certified_once_all_of_it_is_found() -> None:
    model, tree = random_model(1, [3, 3]), PrefixTree.build(np.array([[0, 1], [2, 2], [2, 0]]))
    found = Engine(model, tree, SearchConfig(1)).search([[3], [4]], 5)
    assert found.certified.all() and (found.items[:, 3:] == -1).all()


def test_only_what_is_not_certified_is_widened_and_nothing_is_encoded_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels = [6, 5, 4, 3]
    model, asked = random_model(3, levels), queries(3, 60)
    tree = PrefixTree.build(random_identifiers(3, 150, levels))
    encoded: list[int] = []
    encode = model.encode

    def counted(ids: torch.Tensor, mask: torch.Tensor) -> Encoded:
        encoded.append(len(ids))
        return encode(ids, mask)

    monkeypatch.setattr(model, "encode", counted)
    narrow = search(model, tree, asked, 3, SearchConfig(4, "nothing"), "cpu")
    wide = search(model, tree, asked, 3, SearchConfig(4, "nothing", 256), "cpu")
    assert encoded == [60, 60]
    assert 0 < narrow.certified.sum() < 60 and wide.certified.all()
    assert_true_best(wide, score_all(model, tree, asked, "nothing"))
    assert (wide.beams[narrow.certified] == 4).all()
    assert (wide.beams[~narrow.certified] > 4).all()
    np.testing.assert_array_equal(wide.items[narrow.certified], narrow.items[narrow.certified])
    fast = Engine(model, tree, SearchConfig(4, "nothing", 256)).search(asked, 3)
    assert_true_best(fast, score_all(model, tree, asked, "nothing"))
    assert narrow.tokens_decoded < fast.tokens_decoded < wide.tokens_decoded


@pytest.mark.parametrize("numbers", ["bf16", "int8"])
def test_fewer_bits_are_certified_in_their_own_arithmetic(numbers: Numbers) -> None:
    levels = [6, 5, 4, 3]
    model = random_model(7, levels).float()
    tree, asked = PrefixTree.build(random_identifiers(7, 150, levels)), queries(7, 40)
    narrow = Engine(model, tree, SearchConfig(3), "cpu", numbers).search(asked, 3)
    wide = Engine(model, tree, SearchConfig(3, widest_beam=256), "cpu", numbers).search(asked, 3)
    assert not narrow.certified.all() and wide.certified.all()
    assert (wide.scores[:, -1] >= narrow.scores[:, -1]).all()


@given(
    arrays.arrays(
        np.float32, st.integers(1, 40), elements=st.floats(-1e4, 1e4, width=32, allow_nan=False)
    ),
    st.floats(-1e4, 0, width=32),
)
def test_no_rounding_of_a_step_raises_a_score(logits: np.ndarray, score: float) -> None:
    steps = torch.from_numpy(logits).log_softmax(dim=0)
    assert (steps <= 0).all()
    assert (torch.tensor(score, dtype=torch.float32) + steps <= np.float32(score)).all()


def test_a_beam_is_doubled_up_to_its_bound() -> None:
    assert list(widths(10, 100)) == [20, 40, 80, 100]
    assert list(widths(10, 20)) == [20]
    assert list(widths(10, 10)) == list(widths(10, 0)) == []
