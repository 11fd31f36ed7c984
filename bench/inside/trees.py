"""The beams of a few queries, cut down to what a reader can look at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import pandas as pd

from bench.directions import ranks_of
from bench.galleries import Gallery
from bench.inside.record import Branch, QueryTree, RightItem, StepSize
from bench.item_map import IntArray
from datasets.base import Query
from retrievers.base import BeamTree, Explaining

# Of each step; a beam may be wider than anyone can read.
LIKELIEST_KEPT = 20
LIKELIEST_LET_GO = 5
HASH_KEY = b"beam trees"


def choose(frame: pd.DataFrame) -> list[int]:
    """Rows of the first query that was surely right at rank 1, of the first whose right item
    stands behind that, and of the first whose right item was not found, where there are such.

    First is by a keyed hash of their ids, so that nobody picks them. ``frame`` has the columns of
    ``bench.store.RANK_COLUMNS``.
    """
    ranks = ranks_of(frame)
    order = sorted(range(len(frame)), key=lambda row: _hash(str(frame["query"].iloc[row])))
    outcomes = (ranks.worst == 1, ranks.best > 1, ranks.best == 0)
    firsts = (next((row for row in order if outcome[row]), None) for outcome in outcomes)
    return [row for row in firsts if row is not None]


def trees(
    retriever: Explaining, gallery: Gallery, frame: pd.DataFrame, k: int
) -> tuple[QueryTree, ...]:
    """Of the chosen among the queries of the gallery that the retriever holds.

    frame  of the queries of every gallery; ``k`` is how deep they were searched
    """
    asked = {query.id: query for query in gallery.queries}
    own = frame[frame["query"].isin(asked.keys())]
    names = [item.id for item in gallery.items]
    found = []
    for row in choose(own):
        query = asked[own["query"].iloc[row]]
        tree = retriever.explain(query.text, k)
        found.append(query_tree(tree, query, int(own["worst"].iloc[row]), names, k))
    return tuple(found)


def query_tree(tree: BeamTree, query: Query, rank: int, names: Sequence[str], k: int) -> QueryTree:
    """What is shown of one tree; ``names`` are the ids of the gallery's rows."""
    right = [
        RightItem(name, tuple(map(int, tree.identifiers[row])))
        for row, name in enumerate(names)
        if name in query.relevant
    ]
    wanted = np.array([one.identifier for one in right], np.int64)
    return QueryTree(
        query=query.id,
        text=query.text,
        rank=rank,
        k=k,
        right=tuple(right),
        steps=tuple(StepSize(len(step.scores), step.kept) for step in tree.steps),
        branches=tuple(_branches(tree, wanted, names, k)),
    )


def _branches(tree: BeamTree, wanted: IntArray, names: Sequence[str], k: int) -> Iterator[Branch]:
    """Those of the shown rows, step by step."""
    numbers = count()
    places: dict[tuple[int, ...], int] = {(): -1}
    for level, rows in enumerate(_shown(tree, wanted, k)):
        step, here = tree.steps[level], {}
        right = _begins(step.prefixes, wanted)
        for row in rows:
            prefix = tuple(step.prefixes[row].tolist())
            here[prefix] = next(numbers)
            yield Branch(
                step=level,
                code=prefix[-1],
                parent=places[prefix[:-1]],
                score=round(float(step.scores[row]), 4),
                kept=row < step.kept,
                right=bool(right[row]),
                item=names[tree.items[row]] if level + 1 == len(tree.steps) else "",
            )
        places = here


def _shown(tree: BeamTree, wanted: IntArray, k: int) -> list[list[int]]:
    """Rows of each step that are shown, ascending; whatever a shown prefix extends is too."""
    shown: list[list[int]] = []
    extended: set[tuple[int, ...]] = set()
    for level in reversed(range(len(tree.steps))):
        step = tree.steps[level]
        first = max(k, LIKELIEST_KEPT) if level + 1 == len(tree.steps) else LIKELIEST_KEPT
        prefixes = list(map(tuple, step.prefixes.tolist()))
        rows = {
            *range(min(first, step.kept)),
            *range(step.kept, min(step.kept + LIKELIEST_LET_GO, len(prefixes))),
            *np.flatnonzero(_begins(step.prefixes, wanted)).tolist(),
            *(row for row, prefix in enumerate(prefixes) if prefix in extended),
        }
        shown.append(sorted(rows))
        extended = {prefixes[row][:-1] for row in rows}
    return shown[::-1]


def _begins(prefixes: IntArray, wanted: IntArray) -> np.ndarray:
    """bool [prefixes]: whether any of the identifiers [right, length] begins so."""
    if not len(wanted):
        return np.zeros(len(prefixes), bool)
    heads = wanted[:, : prefixes.shape[1]]
    return (prefixes[:, None, :] == heads).all(axis=2).any(axis=1)


def _hash(query: str) -> bytes:
    return hashlib.blake2b(query.encode(), key=HASH_KEY, digest_size=16).digest()
