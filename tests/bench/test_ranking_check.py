"""Rankings that cannot be scored are refused, whole ones are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ranking_check import BadRanking, check_ranking
from retrievers.base import Ranking


def ranking(queries: int = 4, k: int = 3) -> Ranking:
    ids = np.tile(np.arange(k), (queries, 1))
    return Ranking(ids, np.tile(np.linspace(1, 0, k, dtype=np.float32), (queries, 1)))


def refuse(bad: Ranking, gallery: int = 5) -> str:
    with pytest.raises(BadRanking) as found:
        check_ranking(bad, queries=4, k=3, gallery=gallery)
    return str(found.value)


@given(st.integers(0, 5), st.integers(1, 6), st.integers(0, 6), st.integers(0, 99))
def test_a_sound_ranking_passes(queries: int, k: int, gallery: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.full((queries, k), -1)
    scores = np.full((queries, k), -np.inf, np.float32)
    for row in range(queries):
        held = rng.integers(0, min(k, gallery) + 1)
        ids[row, :held] = rng.permutation(gallery)[:held]
        scores[row, :held] = np.sort(rng.integers(0, 3, held))[::-1]
    check_ranking(Ranking(ids, scores), queries=queries, k=k, gallery=gallery)


def edit(what: str, place: tuple[int, int], value: float) -> Callable[[], Ranking]:
    def made() -> Ranking:
        bad = ranking()
        getattr(bad, what)[place] = value
        return bad

    return made


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: ranking(queries=3), "shape"),
        (lambda: ranking(k=2), "shape"),
        (lambda: Ranking(ranking().ids.astype(float), ranking().scores), "not integers"),
        (edit("ids", (2, 1), 5), "outside of -1 to 4, in 1 queries, first in 2"),
        (edit("ids", (2, 1), -2), "outside"),
        (edit("ids", (2, 1), 0), "same item twice"),
        (edit("ids", (2, 1), -1), "after a place marked as empty"),
        (edit("scores", (1, 1), np.nan), "not a finite number, in 1 queries, first in 1"),
        (edit("scores", (1, 0), np.inf), "not a finite"),
        (edit("scores", (1, 2), -np.inf), "not a finite"),
        (edit("scores", (3, 2), 0.7), "rise"),
    ],
)
def test_an_unsound_one_is_refused(made: Callable[[], Ranking], sentence: str) -> None:
    assert sentence in refuse(made())
