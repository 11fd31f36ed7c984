"""The beam tree against the beam that it shows, and against a slow enumeration."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.beam import beam_search
from cart.beam_tree import Written, beam_tree
from cart.config import Renormalise
from cart.prefix_tree import ENDED, PrefixTree
from cart.tokenizer import pad
from tests.cart.references import exhaustive, is_spread, step_scores, steps_of, valid_tokens
from tests.cart.test_beam import queries, random_identifiers, random_model

RULES: tuple[Renormalise, ...] = get_args(Renormalise)
LEVELS = [6, 5, 4, 3]


@pytest.mark.parametrize("renormalise", RULES)
@pytest.mark.parametrize("beam", [1, 3, 20])
def test_it_ends_in_the_ranking_of_the_beam(beam: int, renormalise: Renormalise) -> None:
    model, rows = random_model(beam, LEVELS), random_identifiers(beam, 60, LEVELS)
    tree = PrefixTree.build(rows)
    for query in queries(beam, 4):
        written = beam_tree(model, tree, query, beam, renormalise, "cpu")
        found = beam_search(model, tree, *pad([query]), beam, beam, renormalise)
        ranked = found.items[0][found.items[0] >= 0]
        assert written.items[: written.steps[-1].kept].tolist() == ranked.tolist()
        np.testing.assert_allclose(
            written.steps[-1].scores[: len(ranked)], found.scores[0, : len(ranked)], atol=1e-5
        )


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 4), st.sampled_from(RULES))
def test_each_step_weighs_all_that_may_follow_what_was_kept(
    seed: int, beam: int, length: int, renormalise: Renormalise
) -> None:
    levels = LEVELS[:length]
    model, rows = random_model(seed, levels), random_identifiers(seed, 25, levels)
    (query,) = queries(seed, 1)
    written = beam_tree(model, PrefixTree.build(rows), query, beam, renormalise, "cpu")
    live: dict[tuple[int, ...], float] = {(): 0.0}
    for level, step in enumerate(written.steps):
        weighed: dict[tuple[int, ...], float] = {}
        for prefix, score in live.items():
            padded = [*prefix] + [0] * (length - level)
            logits = steps_of(model, *pad([query]), padded)[level]
            valid = valid_tokens(rows, [*prefix])
            steps = step_scores(logits, valid, is_spread(renormalise, level, length))
            weighed |= {(*prefix, token): score + value for token, value in steps.items()}
        given_scores = dict(zip(map(tuple, step.prefixes.tolist()), step.scores, strict=True))
        assert given_scores.keys() == weighed.keys()
        for prefix, score in weighed.items():
            assert given_scores[prefix] == pytest.approx(score, abs=2e-4)
        assert step.kept == min(beam, len(weighed))
        for part in (step.scores[: step.kept], step.scores[step.kept :]):
            assert (np.diff(part) <= 0).all()
        assert not step.kept or (step.scores[: step.kept].min() >= step.scores[step.kept :]).all()
        live = {prefix: weighed[prefix] for prefix in _kept(written, level)}
    for item, prefix in zip(written.items, written.steps[-1].prefixes, strict=True):
        assert rows[item].tolist() == prefix.tolist()


def test_a_beam_with_room_for_all_shows_the_whole_tree() -> None:
    model, rows = random_model(4, LEVELS), random_identifiers(4, 18, LEVELS)
    (query,) = queries(4, 1)
    written = beam_tree(model, PrefixTree.build(rows), query, 50, "nothing", "cpu")
    truth = exhaustive(model, rows, *pad([query]), "nothing")
    assert [step.kept for step in written.steps] == [
        len(np.unique(rows[:, : level + 1], axis=0)) for level in range(4)
    ]
    assert written.items.tolist() == np.argsort(-truth).tolist()


def test_an_identifier_that_ended_before_keeps_its_score() -> None:
    model = random_model(6, [3, 3, 2])
    rows = np.array([[0, ENDED, ENDED], [1, 2, ENDED], [1, 0, 1], [2, 1, 0]])
    (query,) = queries(6, 1)
    written = beam_tree(model, PrefixTree.build(rows), query, 4, "nothing", "cpu")
    scores = [
        dict(zip(map(tuple, step.prefixes.tolist()), step.scores, strict=True))
        for step in written.steps
    ]
    assert scores[2][0, ENDED, ENDED] == scores[1][0, ENDED] == scores[0][0,]
    assert scores[2][1, 2, ENDED] == scores[1][1, 2]
    assert [rows[item].tolist() for item in written.items] == written.steps[-1].prefixes.tolist()


def _kept(written: Written, level: int) -> list[tuple[int, ...]]:
    step = written.steps[level]
    return [tuple(prefix) for prefix in step.prefixes[: step.kept].tolist()]
