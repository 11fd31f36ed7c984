"""How much of a row's own reference its answers under load hold."""

from __future__ import annotations

import numpy as np

from retrievers.base import FloatArray, Ranking

# Of a score's size: scores nearer than this are equal but for the order of a sum.
_TIE = 1e-5


def agreement(given: Ranking, reference: Ranking) -> FloatArray:
    """The share of each text's reference that its answer holds, [texts]; 1 where there is none.

    An item of the reference that is missing counts as held where it ties with the reference's
    last and the answer has another of the same score in its place.
    """
    shares = np.ones(len(given.ids), np.float32)
    for text, (ids, expected) in enumerate(zip(given.ids, reference.ids, strict=True)):
        wanted = expected >= 0
        if not wanted.any():
            continue
        last = reference.scores[text][wanted].min()
        tie = _TIE * max(1.0, abs(float(last)))
        missing = wanted & ~np.isin(expected, ids)
        instead = (ids >= 0) & ~np.isin(ids, expected)
        tied_missing = int((missing & (np.abs(reference.scores[text] - last) <= tie)).sum())
        tied_instead = int((instead & (np.abs(given.scores[text] - last) <= tie)).sum())
        held = int(wanted.sum() - missing.sum()) + min(tied_missing, tied_instead)
        shares[text] = held / int(wanted.sum())
    return shares
