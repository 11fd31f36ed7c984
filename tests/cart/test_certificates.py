"""Figures of how exact a beam is, against every item scored."""

from __future__ import annotations

import numpy as np
import pytest

from cart.certificates import BEAMS, certificate_figures
from cart.config import SearchConfig
from cart.engine import Engine
from cart.exhaustive import score_all
from cart.prefix_tree import PrefixTree
from tests.cart.test_beam import queries, random_identifiers, random_model

LEVELS = [12, 10, 6, 3]


def test_shares_are_those_that_scoring_every_item_gives() -> None:
    model, asked = random_model(2, LEVELS), queries(2, 30)
    tree = PrefixTree.build(random_identifiers(2, 400, LEVELS))
    figures = certificate_figures(model, tree, asked, SearchConfig(20, "nothing"), "cpu")
    best = -np.sort(-score_all(model, tree, asked, "nothing"), axis=1)[:, :10]
    for beam in (10, 20, 50, 100):
        found = Engine(model, tree, SearchConfig(beam, "nothing")).search(asked, 10)
        right = np.isclose(found.scores, best, atol=1e-3)
        assert figures[f"certified/beam {beam}"] == found.certified.mean()
        assert figures[f"exact_top_1/beam {beam}"] == pytest.approx(right[:, 0].mean())
        assert figures[f"exact_top_10/beam {beam}"] == pytest.approx(right.all(axis=1).mean())
        assert figures[f"certified/beam {beam}"] <= figures[f"exact_top_10/beam {beam}"]
    assert figures["certified/beam 10"] < figures["certified/beam 100"]
    assert figures["certifying_work/beam 10"] > figures["certifying_work/beam 100"] >= 1


def test_a_gallery_smaller_than_ten_is_exact_at_any_width() -> None:
    model, tree = random_model(1, LEVELS), PrefixTree.build(random_identifiers(1, 6, LEVELS))
    figures = certificate_figures(model, tree, queries(1, 5), SearchConfig(), "cpu")
    assert set(figures.values()) == {1.0}
    assert len(figures) == 4 * len({*BEAMS, 20})


def test_no_queries_give_no_figures() -> None:
    tree = PrefixTree.build(np.array([[0, 0, 0, 0]]))
    assert certificate_figures(random_model(0, LEVELS), tree, [], SearchConfig(), "cpu") == {}
