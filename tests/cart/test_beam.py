"""The beam against exhaustive scoring and against a slow beam, on random models."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.beam import beam_search
from cart.config import CoarseGate, ModelConfig, Renormalise
from cart.model import CartModel
from cart.prefix_tree import ENDED, PrefixTree
from cart.tokenizer import pad
from tests.cart.references import exhaustive, slow_beam, steps_of

RULES: tuple[Renormalise, ...] = get_args(Renormalise)
SMALL = ModelConfig(width=16, heads=2, feed_forward=32, encoder_layers=2, decoder_layers=2)


def random_model(seed: int, levels: list[int], config: ModelConfig = SMALL) -> CartModel:
    """Double precision, and heads of 4 x Xavier's so that the distributions are far from flat."""
    torch.manual_seed(seed)
    model = CartModel(config, vocabulary=30, levels=levels).double().eval()
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.mul_(4)
    return model


def random_identifiers(seed: int, items: int, levels: list[int]) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = np.stack([random.integers(0, size, items) for size in levels], axis=1)
    return random.permutation(np.unique(rows, axis=0))


def queries(seed: int, count: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(1, 30, random.integers(1, 9)).tolist() for _ in range(count)]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from(RULES))
def test_a_wide_beam_equals_exhaustive_scoring(
    seed: int, length: int, renormalise: Renormalise
) -> None:
    levels = [4, 3, 5, 3][:length]
    model, rows = random_model(seed, levels), random_identifiers(seed, 16, levels)
    ids, mask = pad(queries(seed, 3))
    found = beam_search(model, PrefixTree.build(rows), ids, mask, len(rows), len(rows), renormalise)
    for query in range(3):
        truth = exhaustive(
            model, rows, ids[query : query + 1], mask[query : query + 1], renormalise
        )
        assert sorted(found.items[query].tolist()) == list(range(len(rows)))
        np.testing.assert_allclose(found.scores[query], np.sort(truth)[::-1], atol=2e-4)
        np.testing.assert_allclose(truth[found.items[query]], found.scores[query], atol=2e-4)


@pytest.mark.parametrize("renormalise", RULES)
@pytest.mark.parametrize("beam", [1, 2, 5])
def test_a_narrow_beam_equals_the_slow_beam(beam: int, renormalise: Renormalise) -> None:
    levels = [6, 5, 4, 3]
    model, rows = random_model(beam, levels), random_identifiers(beam, 60, levels)
    ids, mask = pad(queries(beam, 4))
    found = beam_search(model, PrefixTree.build(rows), ids, mask, 1, beam, renormalise)
    wide = beam_search(model, PrefixTree.build(rows), ids, mask, beam, beam, renormalise)
    for query in range(4):
        slow = slow_beam(
            model, rows, ids[query : query + 1], mask[query : query + 1], beam, renormalise
        )
        np.testing.assert_allclose(wide.scores[query], [score for score, _ in slow], atol=2e-4)
        assert [rows[item].tolist() for item in wide.items[query]] == [path for _, path in slow]
        assert rows[found.items[query, 0]].tolist() == slow[0][1]


@pytest.mark.parametrize(
    ("gate", "fine"),
    [
        ("off", "nothing"),
        ("off", "everything"),
        ("self-gated", "nothing"),
        ("sigmoid", "everything"),
    ],
)
def test_cached_steps_equal_teacher_forcing_for_every_fusion(gate: CoarseGate, fine: bool) -> None:
    config = replace(SMALL, coarse_gate=gate, fine_fusion=fine)
    levels = [4, 3, 3]
    model, rows = random_model(3, levels, config), random_identifiers(3, 20, levels)
    ids, mask = pad(queries(3, 2))
    found = beam_search(model, PrefixTree.build(rows), ids, mask, len(rows), len(rows), "nothing")
    truth = exhaustive(model, rows, ids[:1], mask[:1], "nothing")
    np.testing.assert_allclose(truth[found.items[0]], found.scores[0], atol=2e-4)


def test_a_gallery_smaller_than_k_is_padded() -> None:
    levels = [3, 3]
    model, rows = random_model(0, levels), np.array([[2, 1], [0, 0]])
    ids, mask = pad(queries(0, 2))
    found = beam_search(model, PrefixTree.build(rows), ids, mask, 5, 10, "nothing")
    assert (found.items[:, 2:] == -1).all() and (found.scores[:, 2:] == -torch.inf).all()
    assert (found.items[:, :2].sort(dim=1).values == torch.tensor([0, 1])).all()


def test_padding_of_a_batch_does_not_change_an_answer() -> None:
    levels = [5, 5, 4]
    model, rows = random_model(1, levels), random_identifiers(1, 50, levels)
    texts = queries(1, 6)
    tree = PrefixTree.build(rows)
    together = beam_search(model, tree, *pad(texts), 5, 5, "nothing")
    for query, text in enumerate(texts):
        alone = beam_search(model, tree, *pad([text]), 5, 5, "nothing")
        assert alone.items[0].tolist() == together.items[query].tolist()
        torch.testing.assert_close(alone.scores[0], together.scores[query], atol=1e-5, rtol=1e-5)


def test_identifiers_of_several_lengths_are_scored_as_far_as_they_go() -> None:
    levels = [3, 4, 3, 2]
    ragged = [[0], [1, 3], [1, 0], [1, 1, 2], [2, 2, 0, 1], [2, 2, 0, 0], [2, 2, 1]]
    model, (ids, mask) = random_model(5, levels), pad(queries(5, 3))
    rows = np.array([one + [ENDED] * (4 - len(one)) for one in ragged])
    found = beam_search(model, PrefixTree.build(rows), ids, mask, len(rows), len(rows), "nothing")
    for query in range(3):
        here = slice(query, query + 1)
        truth = np.array(
            [
                sum(
                    float(logits.double().log_softmax(0)[token])
                    for token, logits in zip(
                        one, steps_of(model, ids[here], mask[here], filled), strict=False
                    )
                )
                for one in ragged
                for filled in [one + [0] * (4 - len(one))]
            ]
        )
        assert found.items[query].tolist() == np.argsort(-truth).tolist()
        np.testing.assert_allclose(found.scores[query], np.sort(truth)[::-1], atol=2e-4)


def test_a_counter_without_a_choice_costs_nothing_and_one_with_sums_to_its_prefix() -> None:
    levels = [4, 3]
    model, (ids, mask) = random_model(2, levels), pad(queries(2, 3))
    rows = np.array([[0, 0], [1, 0], [1, 1], [1, 2], [3, 1]])
    found = beam_search(model, PrefixTree.build(rows), ids, mask, 5, 5, "counter")
    for query in range(3):
        here = slice(query, query + 1)
        codes = steps_of(model, ids[here], mask[here], [0, 0])[0].double().softmax(0)
        given = dict(zip(found.items[query].tolist(), found.scores[query].exp(), strict=True))
        assert float(given[0]) == pytest.approx(float(codes[0]), abs=1e-5)
        assert float(given[4]) == pytest.approx(float(codes[3]), abs=1e-5)
        assert float(given[1] + given[2] + given[3]) == pytest.approx(float(codes[1]), abs=1e-5)


def test_an_ended_identifier_costs_nothing_where_steps_are_renormalised() -> None:
    model, (ids, mask) = random_model(6, [3, 3]), pad(queries(6, 2))
    rows = np.array([[0, ENDED], [1, 2], [1, 0], [2, 1]])
    found = beam_search(model, PrefixTree.build(rows), ids, mask, 4, 4, "everything")
    np.testing.assert_allclose(found.scores.exp().sum(dim=1), 1, atol=1e-5)
