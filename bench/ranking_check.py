"""Refuses a ranking that cannot be scored honestly."""

from __future__ import annotations

import numpy as np

from retrievers.base import Ranking


class BadRanking(Exception):
    """A ranking that breaks the contract; the message says how and for which query."""


def check_ranking(ranking: Ranking, *, queries: int, k: int, gallery: int) -> None:
    """Raises BadRanking unless it holds the best ``k`` rows of the gallery for each query."""
    ids, scores = np.asarray(ranking.ids), np.asarray(ranking.scores)
    if ids.shape != (queries, k):
        raise BadRanking(
            f"the ranking has the shape {list(ids.shape)}, asked for were [{queries}, {k}]"
        )
    if not np.issubdtype(ids.dtype, np.integer):
        raise BadRanking(f"the ids are {ids.dtype}, not integers")
    found = ids >= 0
    ordered = np.sort(ids, axis=1)
    faults = {
        f"an id outside of -1 to {gallery - 1}": (ids < -1) | (ids >= gallery),
        "a score that is not a finite number": found & ~np.isfinite(scores),
        "an item after a place marked as empty": ~found[:, :-1] & found[:, 1:],
        "the same item twice": (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0),
        "scores that rise": found[:, 1:] & (scores[:, 1:] > scores[:, :-1]),
    }
    for fault, where in faults.items():
        rows = np.flatnonzero(where.any(axis=1))
        if rows.size:
            raise BadRanking(
                f"the ranking holds {fault}, in {rows.size} queries, first in {rows[0]}"
            )
