"""Figure 5 with a number: how near to each other items lie that share a code prefix.

The paper shows a t-SNE in which items of one prefix lie together. A picture of some prefixes
proves little, so the same is measured over all pairs and held against shuffled prefixes.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

SHUFFLES = 200


class NoMap(Exception):
    """A map that cannot be drawn; the message says why."""


@dataclass(frozen=True)
class Points:
    """Items of a gallery on a plane.

    embeddings  [items, dim], rows of length 1
    prefixes    [items, length]
    plane       [items, 2]
    gallery     how many items the gallery has, of which these were drawn
    """

    embeddings: FloatArray
    prefixes: IntArray
    plane: FloatArray
    gallery: int


@dataclass(frozen=True)
class Cohesion:
    """Cosine distances between items, means over pairs; nan where there is no such pair.

    depth     how many codes of the prefix are compared
    prefixes  how many different ones there are
    within    of pairs that share their prefix
    between   of the other pairs
    shuffled  (least, most) that ``within`` came to with the prefixes dealt anew, of the middle
              95 % of the shuffles
    """

    depth: int
    prefixes: int
    within: float
    between: float
    shuffled: tuple[float, float]

    @property
    def tighter(self) -> bool:
        """Whether items of one prefix lie nearer to each other than chance makes them."""
        return self.within < self.shuffled[0]


def cohesion(points: Points, depth: int, seed: int = 0) -> Cohesion:
    """Distances within and between the prefixes of ``depth`` codes."""
    _, groups = np.unique(points.prefixes[:, :depth], axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    within, between = _distances(points.embeddings, groups)
    rng = np.random.default_rng(seed)
    dealt = [_distances(points.embeddings, rng.permutation(groups))[0] for _ in range(SHUFFLES)]
    low, high = np.quantile(dealt, [0.025, 0.975])
    return Cohesion(depth, int(groups.max()) + 1, within, between, (float(low), float(high)))


def _distances(embeddings: FloatArray, groups: IntArray) -> tuple[float, float]:
    """Mean cosine distance of pairs in one group, and of pairs in two.

    The similarities of all pairs of a group add up to the squared length of its sum less its
    size, so no pair is ever looked at.
    """
    sizes = np.bincount(groups).astype(np.float64)
    sums = np.zeros((len(sizes), embeddings.shape[1]))
    np.add.at(sums, groups, embeddings)
    own = (sums**2).sum() - len(groups)
    every = (sums.sum(axis=0) ** 2).sum() - len(groups)
    pairs, all_pairs = (sizes * (sizes - 1)).sum(), len(groups) * (len(groups) - 1)
    within = 1 - own / pairs if pairs else np.nan
    between = 1 - (every - own) / (all_pairs - pairs) if all_pairs > pairs else np.nan
    return float(within), float(between)


def to_bytes(points: Points) -> bytes:
    """An npz archive without pickled objects."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        embeddings=points.embeddings,
        prefixes=points.prefixes,
        plane=points.plane,
        gallery=np.array(points.gallery),
    )
    return buffer.getvalue()


def read(path: Path) -> Points:
    """Raises NoMap where the file is absent or holds something else."""
    try:
        with np.load(path, allow_pickle=False) as found:
            points = Points(
                found["embeddings"], found["prefixes"], found["plane"], int(found["gallery"])
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise NoMap(f"{path} cannot be read ({problem}); run it again") from problem
    items = len(points.embeddings)
    if points.plane.shape != (items, 2) or points.prefixes.shape[:1] != (items,):
        raise NoMap(f"{path} does not hold the map of one gallery; run it again")
    return points
