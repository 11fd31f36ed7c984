"""What was learned of a gallery, kept to be rehearsed when the gallery grows.

A network that is trained on new pairs alone forgets the old ones; a sample of the old ones beside
them is the plainest remedy (Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal",
Connection Science 7, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cart.training import Examples

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learned:
    """Pairs that taught a gallery, and the gallery row of each [pairs]."""

    pairs: Examples
    rows: IntArray

    def with_more(self, other: Learned) -> Learned:
        """Those of ``other`` behind these."""
        return Learned(self.pairs.joined(other.pairs), np.concatenate([self.rows, other.rows]))

    def without(self, rows: Sequence[int]) -> Learned:
        """When gallery rows are taken out: their pairs go, and the rows behind them move up."""
        gone = np.unique(np.array(rows, dtype=np.int64))
        kept = np.flatnonzero(~np.isin(self.rows, gone))
        moved = self.rows[kept]
        return Learned(self.pairs.taken(kept), moved - np.searchsorted(gone, moved))


def sample(examples: Examples, most: int, seed: int) -> Examples:
    """At most so many of the pairs, drawn without replacement."""
    random = np.random.default_rng([seed, 0xAD])
    places = random.permutation(len(examples.tokens))[:most]
    return examples.taken(places)
