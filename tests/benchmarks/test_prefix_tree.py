"""The prefix tree at 20,000 and a million items, in both of its forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from cart.prefix_tree import PrefixTree
from retrievers.base import IntArray
from tests.benchmarks.seeded import CODES, GALLERY, MANY, QUERIES, some_identifiers

# Vocabularies of such widths are not addressed directly.
SIZES = {"direct": (CODES,) * 3, "compressed": (5000,) * 3}
BEAM = 10


@pytest.fixture(scope="module")
def many() -> IntArray:
    return some_identifiers(MANY)


@pytest.fixture(scope="module", params=SIZES)
def tree(request: pytest.FixtureRequest, many: IntArray) -> PrefixTree:
    return PrefixTree.build(many, sizes=SIZES[request.param])


def test_building_of_20000_items(benchmark: BenchmarkFixture) -> None:
    tree = benchmark(PrefixTree.build, some_identifiers(GALLERY))
    assert len(tree.items) == GALLERY


@pytest.mark.parametrize("form", SIZES)
def test_building_of_a_million_items(
    benchmark: BenchmarkFixture, many: IntArray, form: str
) -> None:
    tree = benchmark.pedantic(PrefixTree.build, (many,), {"sizes": SIZES[form]}, rounds=3)
    assert len(tree.items) == MANY


def test_step_of_100_queries_by_10_beams(benchmark: BenchmarkFixture, tree: PrefixTree) -> None:
    random = np.random.default_rng(1)
    first = tree.children(0, torch.zeros(1, dtype=torch.int64)).nodes[0]
    second = tree.children(1, first)
    reached = second.nodes[second.valid]
    nodes = reached[torch.from_numpy(random.integers(0, len(reached), (QUERIES, BEAM)))]
    children = benchmark(tree.children, 2, nodes)
    assert children.valid.any(dim=-1).all()


def test_putting_in_one_item_of_a_million(benchmark: BenchmarkFixture, tree: PrefixTree) -> None:
    longer = benchmark(tree.with_items, np.array([[5, 5, 5, 15]]))
    assert len(longer.items) == MANY + 1


def test_taking_out_one_item_of_a_million(benchmark: BenchmarkFixture, tree: PrefixTree) -> None:
    shorter = benchmark(tree.without, [MANY // 2])
    assert len(shorter.items) == MANY - 1
