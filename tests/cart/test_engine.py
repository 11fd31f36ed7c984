"""The engine gives what the plain beam gives, and decodes less."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.config import CoarseGate, Renormalise, SearchConfig
from cart.engine import Engine
from cart.prefix_tree import PrefixTree
from cart.search import Answer, search
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
