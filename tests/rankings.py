"""Rankings seen from the gallery's side."""

from __future__ import annotations

import numpy as np

from retrievers.base import FloatArray, Ranking


def scores_by_row(ranking: Ranking) -> FloatArray:
    """[queries, items] of a ranking of the whole gallery: the scores in the gallery's order."""
    order = ranking.ids.argsort(axis=1)
    rows = np.take_along_axis(ranking.ids, order, axis=1)
    assert (rows == np.arange(rows.shape[1])).all(), "the whole gallery was not ranked"
    return np.take_along_axis(ranking.scores, order, axis=1)
