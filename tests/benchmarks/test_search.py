"""100 queries at once: CART's beam, plain and by the engine, and the vector indexes."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from cart.config import SearchConfig
from cart.engine import Engine
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.search import search
from retrievers.base import VectorIndex
from retrievers.indexes import ApproximateIndex, FaissFlat, TorchExact
from tests.benchmarks.seeded import (
    CODES,
    GALLERY,
    QUERIES,
    cart_model,
    some_identifiers,
    surer_model,
    token_rows,
    unit_vectors,
)


@pytest.fixture(scope="module")
def model() -> CartModel:
    return cart_model()


@pytest.fixture(scope="module")
def tree() -> PrefixTree:
    return PrefixTree.build(some_identifiers(5 * GALLERY), sizes=(CODES,) * 3)


@pytest.mark.parametrize("beam", [10, 50])
def test_plain_beam(
    benchmark: BenchmarkFixture, model: CartModel, tree: PrefixTree, beam: int
) -> None:
    asked = (model, tree, token_rows(), 10, SearchConfig(beam=beam), "cpu")
    found = benchmark.pedantic(search, asked, rounds=3, warmup_rounds=1)
    assert (found.items >= 0).all()


@pytest.mark.parametrize("numbers", ["fp32", "int8"])
def test_engine_with_a_beam_of_10(
    benchmark: BenchmarkFixture, model: CartModel, tree: PrefixTree, numbers: str
) -> None:
    engine = Engine(model, tree, SearchConfig(beam=10), "cpu", numbers)  # type: ignore[arg-type]
    found = benchmark(engine.search, token_rows(), 10)
    assert (found.items >= 0).all()


@pytest.mark.parametrize("k", [1, 10])
@pytest.mark.parametrize("beam", [10, 50, 100])
@pytest.mark.parametrize("widest", [0, 400], ids=["as it is", "certified"])
def test_engine_widened_until_it_is_exact(
    benchmark: BenchmarkFixture, tree: PrefixTree, k: int, beam: int, widest: int
) -> None:
    """The benchmark's extra_info holds the share of certified answers and the work."""
    engine = Engine(surer_model(), tree, SearchConfig(beam, widest_beam=widest))
    found = benchmark.pedantic(engine.search, (token_rows(), k), rounds=3, warmup_rounds=1)
    benchmark.extra_info["certified"] = float(found.certified.mean())
    benchmark.extra_info["decoder positions a query"] = found.tokens_decoded / len(token_rows())
    assert found.certified.all() or not widest


@pytest.mark.parametrize(
    "index",
    [TorchExact("cpu"), FaissFlat(), ApproximateIndex("ivf")],
    ids=["torch", "faiss", "faiss-ivf"],
)
def test_index(benchmark: BenchmarkFixture, index: VectorIndex) -> None:
    index.build(unit_vectors(GALLERY, 0))
    ranking = benchmark(index.search, unit_vectors(QUERIES, 1), 10)
    assert (ranking.ids[:, 0] >= 0).all()
