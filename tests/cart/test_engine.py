"""The engine gives what the plain beam gives, and decodes less."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.config import CoarseGate, Renormalise, SearchConfig
from cart.engine import Engine, fastest_exact
from cart.engine.beams import Search, at_once, beam_search
from cart.engine.decoder import Decoder
from cart.engine.encoder import Encoder
from cart.engine.packing import padded
from cart.prefix_tree import ENDED, PrefixTree
from cart.search import Answer, search
from cart.tokenizer import pad
from tests.cart.test_beam import SMALL, queries, random_identifiers, random_model

RULES: tuple[Renormalise, ...] = get_args(Renormalise)
GATES: tuple[CoarseGate, ...] = get_args(CoarseGate)


def assert_same(plain: Answer, fast: Answer) -> None:
    """The same scores, and the same items but where scores tie."""
    found = np.isfinite(plain.scores)
    np.testing.assert_array_equal(np.isfinite(fast.scores), found)
    np.testing.assert_allclose(fast.scores[found], plain.scores[found], atol=1e-3)
    for query, column in zip(*np.nonzero(plain.items != fast.items), strict=True):
        scores = plain.scores[query]
        others = np.delete(scores, column)
        assert np.abs(others - scores[column]).min() < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
    st.integers(1, 150),
    st.integers(1, 20),
    st.integers(1, 50),
    st.sampled_from(RULES),
    st.sampled_from(GATES),
    st.booleans(),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_it_finds_what_the_plain_beam_finds(
    seed: int,
    levels: list[int],
    items: int,
    k: int,
    beam: int,
    renormalise: Renormalise,
    gate: CoarseGate,
    fine: bool,
    layers: tuple[int, int],
) -> None:
    config = replace(
        SMALL,
        coarse_gate=gate,
        fine_fusion=fine,
        encoder_layers=layers[0],
        decoder_layers=layers[1],
    )
    model = random_model(seed, levels, config)
    tree = PrefixTree.build(random_identifiers(seed, items, levels))
    asked, rule = queries(seed, 1 + seed % 12), SearchConfig(beam, renormalise)
    plain = search(model, tree, asked, k, rule, "cpu")
    fast = Engine(model, tree, rule).search(asked, k)
    assert_same(plain, fast)
    assert fast.tokens_decoded <= plain.tokens_decoded


def test_fixed_shapes_give_the_same_as_rows_that_follow_the_data() -> None:
    levels = [6, 5, 4]
    model, rows = random_model(8, levels), random_identifiers(8, 70, levels)
    tree, asked = PrefixTree.build(rows), queries(8, 9)
    for renormalise in RULES:
        with torch.inference_mode():
            memories = Encoder.of(model, "fp32", torch.float32)(padded(*pad(asked)))
            decoder = Decoder.of(model, "fp32", torch.float32)
            found = beam_search(Search(decoder, tree, memories, renormalise), 5, 7, at_once)
        plain = search(model, tree, asked, 5, SearchConfig(7, renormalise), "cpu")
        np.testing.assert_array_equal(found.certified, plain.certified)
        np.testing.assert_array_equal(found.beams, plain.beams)
        fast = Answer(
            found.items.numpy(), found.scores.numpy(), found.decoded, plain.certified, plain.beams
        )
        assert_same(plain, fast)


def test_an_answer_does_not_follow_the_queries_it_shares_a_batch_with() -> None:
    levels = [6, 5, 4, 3]
    model, rows = random_model(1, levels), random_identifiers(1, 120, levels)
    engine, asked = Engine(model, PrefixTree.build(rows), SearchConfig(6)), queries(1, 150)
    together = engine.search(asked, 6)
    for query in range(0, 150, 15):
        alone = engine.search([asked[query]], 6)
        assert alone.items[0].tolist() == together.items[query].tolist()
        np.testing.assert_allclose(alone.scores[0], together.scores[query], atol=1e-5)


def test_items_that_share_no_codes_cost_no_last_position() -> None:
    levels = [4, 4, 3]
    model = random_model(2, levels)
    rows = np.array([[code, second, 0] for code in range(4) for second in range(4)])
    found = Engine(model, PrefixTree.build(rows), SearchConfig(5)).search(queries(2, 3), 5)
    assert found.tokens_decoded == 3 * (1 + 4)
    rows = np.concatenate([rows, [[1, 1, 2], [1, 1, 1]]])
    wide = Engine(model, PrefixTree.build(rows), SearchConfig(18)).search(queries(2, 3), 18)
    assert wide.tokens_decoded == 3 * (1 + 4 + 1)


def test_a_prefix_below_the_kth_finished_item_is_not_decoded_and_not_missed() -> None:
    levels = [8, 3]
    model, asked = random_model(3, levels), queries(3, 40)
    rows = np.array([[code, 0] for code in range(8)] + [[0, 1], [0, 2]])
    tree = PrefixTree.build(rows)
    for k in (1, 3, 8):
        fast = Engine(model, tree, SearchConfig(8)).search(asked, k)
        assert_same(search(model, tree, asked, k, SearchConfig(8), "cpu"), fast)
        # Code 0 alone has a choice of counters; it matters where k others are not ahead of it.
        encoded = model.encode(*pad(asked))
        codes = model.decode(encoded, torch.zeros((40, 2), dtype=torch.int64))[0]
        ahead = (codes[:, 1:] >= codes[:, :1]).sum(dim=1)
        assert fast.tokens_decoded == 40 + int((ahead < k).sum())


def test_identifiers_of_several_lengths_are_searched_too() -> None:
    levels = [3, 4, 3, 2]
    ragged = [[0], [1, 3], [1, 0], [1, 1, 2], [2, 2, 0, 1], [2, 2, 0, 0], [2, 2, 1]]
    rows = np.array([one + [ENDED] * (4 - len(one)) for one in ragged])
    model, tree, asked = random_model(5, levels), PrefixTree.build(rows), queries(5, 4)
    for renormalise in RULES:
        rule = SearchConfig(7, renormalise)
        plain = search(model, tree, asked, 7, rule, "cpu")
        assert_same(plain, Engine(model, tree, rule).search(asked, 7))


def test_a_vocabulary_too_large_for_tables_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = [6, 5, 4, 3]
    model, tree = random_model(6, levels), PrefixTree.build(random_identifiers(6, 90, levels))
    tables = Engine(model, tree, SearchConfig(6))
    monkeypatch.setattr("cart.engine.dense.LARGEST_TABLE", 4)
    computed = Engine(model, tree, SearchConfig(6))
    assert computed.bytes < tables.bytes
    assert_same(tables.search(queries(6, 5), 6), computed.search(queries(6, 5), 6))


def test_queries_that_the_model_cannot_read_are_refused() -> None:
    engine = Engine(random_model(0, [3, 3]), PrefixTree.build(np.array([[0, 0]])), SearchConfig())
    with pytest.raises(ValueError, match="query 1 has no tokens"):
        engine.search([[3], []], 1)
    with pytest.raises(ValueError, match="query 0 has 65 tokens: cut it at 64"):
        engine.search([[3] * 65], 1)
    assert engine.search([], 2).items.shape == (0, 2)


def test_numbers_that_a_device_does_not_compute_in_are_refused() -> None:
    model, tree = random_model(0, [3, 3]), PrefixTree.build(np.array([[0, 0]]))
    with pytest.raises(ValueError, match="fp16 runs on an accelerator only"):
        Engine(model, tree, SearchConfig(), "cpu", "fp16")
    with pytest.raises(ValueError, match="int8 runs on a processor only"):
        Engine(model, tree, SearchConfig(), "cuda", "int8")
    assert fastest_exact("cpu") in ("fp32", "bf16")
