"""Accuracy by token against the plain beam of one prefix."""

from __future__ import annotations

import numpy as np
import pytest

from cart.beam import beam_search
from cart.diagnosis import token_accuracy
from cart.prefix_tree import PrefixTree
from cart.tokenizer import pad
from tests.cart.test_beam import queries, random_identifiers, random_model

LEVELS = [5, 4, 3]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_greedy_decoding_has_right_is_what_a_beam_of_one_has(seed: int) -> None:
    model, rows = random_model(seed, LEVELS), random_identifiers(seed, 30, LEVELS)
    tree, asked = PrefixTree.build(rows), queries(seed, 60)
    found = beam_search(model, tree, *pad(asked), 1, 1, "everything").items[:, 0].numpy()
    relevant = np.where(np.arange(60) % 3 == 0, found, (found + np.arange(60)) % len(rows))
    told = token_accuracy(model, tree, rows, asked, relevant, "cpu")
    agrees = rows[found] == rows[relevant]
    for level, name in enumerate(("k", "v1", "u")):
        share = agrees[:, : level + 1].all(axis=1).mean()
        assert told[f"greedy_share/{name}"] == pytest.approx(share)
        assert told[f"greedy_share/{name}"] <= told[f"token_accuracy/{name}"]
    assert told["greedy_share/u"] == pytest.approx((found == relevant).mean())
    assert told["greedy_share/k"] == told["token_accuracy/k"]
