"""The galleries that are searched: a dataset's own, or one for each of its folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bench.metrics import IntArray
from datasets.base import Dataset, Item, Query

T = TypeVar("T")


@dataclass(frozen=True)
class Gallery:
    """Items that are searched together, in the order in which they are indexed.

    items    test items and distractors, which answer no query
    queries  those whose first right item is here
    """

    items: tuple[Item, ...]
    queries: tuple[Query, ...]


def galleries(dataset: Dataset, seed: int) -> list[Gallery]:
    """One gallery, or one a fold, each shuffled; every query is asked of exactly one.

    A fold without a query is left out. A gallery in folds has no distractors.
    """
    folds = dataset.folds or (0,) * len(dataset.searched)
    fold_of = {item.id: fold for item, fold in zip(dataset.searched, folds, strict=True)}
    items = shuffled(dataset.searched, seed)
    return [
        Gallery(
            tuple(item for item in items if fold_of[item.id] == fold),
            tuple(query for query in dataset.queries if fold_of[query.relevant[0]] == fold),
        )
        for fold in sorted({fold_of[query.relevant[0]] for query in dataset.queries})
    ]


def shuffled(things: Sequence[T], seed: int) -> tuple[T, ...]:
    """The things in a random order, so that the order of their rows tells nothing."""
    order = np.random.default_rng([seed, 0x6A]).permutation(len(things))
    return tuple(things[row] for row in order)


def relevant_rows(queries: Sequence[Query], items: Sequence[Item]) -> IntArray:
    """[queries, most right items of a query] rows of ``items``, padded with -1.

    A right item that is not among ``items`` is left out.
    """
    row_of = {item.id: row for row, item in enumerate(items)}
    return padded([[row_of[one] for one in q.relevant if one in row_of] for q in queries])


def padded(rows: Sequence[Sequence[int]]) -> IntArray:
    """[rows, longest of them], each filled up with -1."""
    out = np.full((len(rows), max(map(len, rows), default=0)), -1, np.int64)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
    return out
