"""What building an approximate index will take, said before it is begun."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retrievers.indexes.approximate import ROUNDS, Kind, training_rows

# Multiplications and additions of k-means and of assignment that a core of the AVX2 kind does in
# a second, measured in FAISS.
_PRODUCTS_A_SECOND = 2.6e10
# Seconds of a core to link a vector of 512 numbers into a graph of 100,000.
_LINKING = 3.6e-4
_ENCODING = {"ivf": 0.0, "ivf-sq8": 2e-6, "hnsw": 2e-6, "pq": 3.5e-5}


@dataclass(frozen=True)
class Estimate:
    """Rough: within a factor of two on a processor of recent years.

    seconds     to build
    bytes       that the index holds
    peak_bytes  while it is built
    """

    seconds: float
    bytes: int
    peak_bytes: int


def estimate(kind: Kind, count: int, dim: int, threads: int = 2) -> Estimate:
    """Of an index of ``count`` vectors; see ``ApproximateIndex`` for the kinds."""
    lists = 2 * math.sqrt(count)
    trained_on = training_rows(count)
    encoding = _ENCODING[kind] * count * dim / 512
    if kind == "hnsw":
        # The front that a new vector is linked by grows with the depth of the graph.
        linking = _LINKING * count * dim / 512 * max(1.0, math.log10(max(count, 10)) / 5) ** 2
        seconds = linking + encoding
    else:
        seconds = (ROUNDS * trained_on + count) * lists * dim / _PRODUCTS_A_SECOND + encoding
    row = {"ivf": 4 * dim + 8, "ivf-sq8": dim + 8, "hnsw": dim + 276, "pq": dim + dim // 4 + 10}
    held = int(row[kind] * count + (0 if kind == "hnsw" else 4 * dim * lists))
    # Lists that grow hold up to twice what is in them.
    return Estimate(seconds / threads, held, 2 * held + 8 * dim * trained_on)
