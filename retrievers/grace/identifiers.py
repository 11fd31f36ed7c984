"""The identifiers of GRACE: clusters of clusters, and captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from cart.captions import Captioned
from cart.monitor import Monitor
from cart.prefix_tree import ENDED

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


def structured_identifiers(
    embeddings: FloatArray,
    branches: int,
    leaf: int,
    restarts: int,
    seed: int,
    monitor: Monitor | None = None,
) -> IntArray:
    """Identifiers [items, deepest] of embeddings [items, dim], filled up with ``ENDED``.

    More than ``leaf`` items are parted by k-means into ``branches`` clusters, and each cluster
    again, until ``leaf`` or fewer are left, which are numbered in row order; an item alone in
    its cluster needs no number. ``restarts`` is how often each k-means starts anew (GRACE: 100).
    Items that k-means cannot tell apart are dealt out evenly, which GRACE has no rule for.
    """
    paths: list[list[int]] = [[] for _ in embeddings]
    waiting, settled = [np.arange(len(embeddings))], 0
    while waiting:
        rows = waiting.pop()
        if len(rows) <= leaf:
            places: IntArray = np.arange(len(rows))
            settled += len(rows)
        else:
            places = _clusters(embeddings[rows], branches, restarts, seed)
        for row, place in zip(rows.tolist(), places.tolist(), strict=True):
            paths[row].append(place)
        if len(rows) > leaf:
            parts = [rows[places == place] for place in np.unique(places)]
            waiting += [part for part in parts if len(part) > 1]
            settled += sum(len(part) == 1 for part in parts)
        if monitor is not None:
            monitor("identifiers", settled, len(paths))
    return filled(paths)


def caption_identifiers(
    captions: Sequence[Sequence[int]], numbers: IntArray, vocabulary: int, longest: int
) -> IntArray:
    """Identifiers [items, at most ``longest``] of captions given as token ids.

    The last token is a number, which ends the caption and tells apart items that share one:
    number n is the token ``vocabulary`` + n.
    """
    ended = [
        [*caption[: longest - 1], vocabulary + number]
        for caption, number in zip(captions, numbers.tolist(), strict=True)
    ]
    return filled(ended)


def numbers_within(captions: Sequence[Sequence[int]], longest: int) -> IntArray:
    """How many earlier items have the same caption, as far as an identifier holds it [items]."""
    seen: dict[tuple[int, ...], int] = {}
    numbers = np.empty(len(captions), dtype=np.int64)
    for row, caption in enumerate(captions):
        key = tuple(caption[: longest - 1])
        numbers[row] = seen.get(key, 0)
        seen[key] = int(numbers[row]) + 1
    return numbers


def own_captions(train: Captioned) -> list[str]:
    """Of each item the caption that lies nearest to it; "" for an item without any."""
    found, nearest = [""] * len(train.embeddings), np.full(len(train.embeddings), -np.inf)
    vectors = train.caption_vectors
    for index, (caption, row) in enumerate(zip(train.captions, train.rows, strict=True)):
        near = 0.0 if vectors is None else float(vectors[index] @ train.embeddings[row])
        if near > nearest[row]:
            found[row], nearest[row] = caption, near
    return found


def filled(rows: Sequence[Sequence[int]]) -> IntArray:
    """Rows of several lengths as one array, ``ENDED`` behind their ends."""
    identifiers = np.full((len(rows), max(map(len, rows), default=0)), ENDED, dtype=np.int64)
    for row, tokens in enumerate(rows):
        identifiers[row, : len(tokens)] = tokens
    return identifiers


def _clusters(vectors: FloatArray, branches: int, restarts: int, seed: int) -> IntArray:
    clusters = min(branches, len(np.unique(vectors, axis=0)))
    places: IntArray = np.zeros(len(vectors), dtype=np.int64)
    if clusters > 1:
        kmeans = KMeans(clusters, n_init=restarts, random_state=seed)
        # Several threads add in another order, which is enough to move a cluster.
        with threadpool_limits(1):
            places = kmeans.fit_predict(vectors).astype(np.int64)
    if (places == places[0]).all():
        places = np.arange(len(vectors)) % branches
    return places
