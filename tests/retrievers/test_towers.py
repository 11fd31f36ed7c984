"""Vectors of a gallery pass from the tower to the index without copies of all of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np

from datasets.base import Item
from retrievers.base import FloatArray
from retrievers.encoders.towers import tiny_dual_tower, unit
from tests.retrievers.toys import SPEC, items

DIM = 64


class Random:
    """As many random vectors as things are given."""

    fingerprint = "random"

    def encode(self, things: Sequence[object], /) -> FloatArray:
        return np.random.default_rng(0).standard_normal((len(things), DIM), dtype=np.float32)


def test_rows_of_unit_length_stand_where_they_stood() -> None:
    vectors = Random().encode(range(40_000))
    vectors[[0, 39_999]] = 0
    expected = vectors / np.maximum(np.sqrt((vectors**2).sum(axis=1, keepdims=True)), 1e-12)
    assert unit(vectors) is vectors
    np.testing.assert_allclose(vectors, expected, rtol=1e-5)
    np.testing.assert_array_equal(unit(vectors[:0]), vectors[:0])


def test_a_gallery_is_in_memory_once_while_it_is_indexed() -> None:
    gallery = [Item(str(number), "image", items(0)[0].media) for number in range(40_000)]
    tower = tiny_dual_tower(SPEC, Random(), Random(), DIM)
    tracemalloc.start()
    try:
        tower.index(gallery)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside the vectors: a block that is scaled, and the ids.
    assert peak < 1.8 * 4 * DIM * len(gallery)
    nearest = tower.search(["any"], 1)
    expected = unit(Random().encode(gallery)) @ unit(Random().encode(["any"])).T
    assert nearest.ids[0, 0] == expected.argmax()
