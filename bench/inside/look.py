"""Looks inside a retriever after its answers are scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bench.galleries import Gallery
from bench.inside.record import CodeUse, Inside, MappedItems
from bench.inside.trees import trees
from bench.item_map import IntArray, NoMap, cohesion
from bench.projection import drawn, project
from retrievers.base import Explaining, ItemMap, Mapped, Retriever

MOST_ITEMS = 1_000
DEPTHS = (1, 2)


def look_inside(
    retriever: Retriever, gallery: Gallery, frame: pd.DataFrame, k: int, seed: int
) -> Inside | None:
    """What a retriever that holds ``gallery`` can show of itself; None where that is nothing.

    frame  its answers, with the columns of ``bench.store.RANK_COLUMNS``, ``k`` deep
    seed   of the map, and of the ``MOST_ITEMS`` that are drawn of a larger gallery
    """
    inside = Inside()
    if isinstance(retriever, Mapped):
        inside = _mapped(retriever.item_map(gallery.items), gallery, seed)
    if isinstance(retriever, Explaining):
        inside = replace(inside, trees=trees(retriever, gallery, frame, k))
    return None if inside == Inside() else inside


def code_use(found: ItemMap) -> tuple[CodeUse, ...]:
    """By position."""
    sizes = found.sizes or (0,) * found.prefixes.shape[1]
    return tuple(
        CodeUse(size, _counts(codes)) for size, codes in zip(sizes, found.prefixes.T, strict=True)
    )


def _counts(codes: IntArray) -> tuple[int, ...]:
    _, items = np.unique(codes, return_counts=True)
    return tuple(sorted(map(int, items), reverse=True))


def _mapped(found: ItemMap, gallery: Gallery, seed: int) -> Inside:
    codes = code_use(found)
    try:
        points = project(found, seed, MOST_ITEMS)
    except NoMap as problem:
        return Inside(codes=codes, remarks=(f"There is no map of the items: {problem}.",))
    rows = drawn(points.gallery, seed, MOST_ITEMS)
    items = MappedItems(
        tuple(gallery.items[row].id for row in rows),
        points.prefixes,
        points.plane,
        points.gallery,
        tuple(cohesion(points, depth) for depth in DEPTHS if depth <= points.prefixes.shape[1]),
    )
    return Inside(items, codes)
