"""What was learned of a gallery, kept to be rehearsed when the gallery grows.

A network that is trained on new pairs alone forgets the old ones; a sample of the old ones beside
them is the plainest remedy (Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal",
Connection Science 7, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cart.training import Examples

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learned:
    """Pairs that taught a gallery, and the gallery row of each [pairs].

    vectors  [pairs, dim] of the queries, by which a teacher can label them again when there is
             more that they may mean; None where there is no teacher
    seen     whether each query is of its own item, as ``cart.captions.Generated`` has it
    """

    pairs: Examples
    rows: IntArray
    vectors: FloatArray | None = None
    seen: bool = False

    def with_more(self, other: Learned) -> Learned:
        """Those of ``other`` behind these."""
        vectors = None
        if self.vectors is not None and other.vectors is not None:
            vectors = np.concatenate([self.vectors, other.vectors])
        rows = np.concatenate([self.rows, other.rows])
        return Learned(self.pairs.joined(other.pairs), rows, vectors, self.seen)

    def taken(self, places: IntArray) -> Learned:
        """Those at ``places``, in their order."""
        vectors = None if self.vectors is None else self.vectors[places]
        return Learned(self.pairs.taken(places), self.rows[places], vectors, self.seen)

    def without(self, rows: Sequence[int]) -> Learned:
        """When gallery rows are taken out: their pairs go, and the rows behind them move up."""
        gone = np.unique(np.array(rows, dtype=np.int64))
        kept = self.taken(np.flatnonzero(~np.isin(self.rows, gone)))
        return replace(kept, rows=kept.rows - np.searchsorted(gone, kept.rows))


def sample(examples: Examples, most: int, seed: int) -> Examples:
    """At most so many of the pairs, drawn without replacement."""
    return examples.taken(drawn(len(examples.tokens), most, seed))


def drawn(count: int, most: int, seed: int) -> IntArray:
    """At most so many of ``count`` places, without replacement."""
    return np.random.default_rng([seed, 0xAD]).permutation(count)[:most]
