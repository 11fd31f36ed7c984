"""Both exact indexes against a plain NumPy ranking and against each other."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrievers.base import FloatArray, IntArray, VectorIndex
from retrievers.indexes import FaissFlat, TorchExact, exact

BOTH = pytest.mark.parametrize("make", [TorchExact, FaissFlat], ids=lambda kind: kind.__name__)


def reference(vectors: FloatArray, queries: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """Score by score, sorted by (score down, row up)."""
    ids = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for place, query in enumerate(queries):
        found = [(-float(np.dot(vector, query)), row) for row, vector in enumerate(vectors)]
        for rank, (score, row) in enumerate(sorted(found)[:k]):
            ids[place, rank], scores[place, rank] = row, -score
    return ids, scores


def random_unit(rows: int, dim: int, seed: int = 0) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@st.composite
def whole_numbers(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, int]:
    """Small whole numbers: products are exact, and ties abound."""
    dim, rows, queries = draw(st.tuples(st.integers(1, 5), st.integers(0, 40), st.integers(0, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    span = draw(st.integers(1, 3))
    return (
        rng.integers(-span, span + 1, (rows, dim)).astype(np.float32),
        rng.integers(-span, span + 1, (queries, dim)).astype(np.float32),
        draw(st.integers(1, 45)),
    )


@given(whole_numbers())
@settings(max_examples=150, deadline=None)
def test_torch_gives_the_reference_ties_and_all(
    case: tuple[FloatArray, FloatArray, int],
) -> None:
    vectors, queries, k = case
    index = TorchExact()
    index.build(vectors)
    ranking = index.search(queries, k)
    ids, scores = reference(vectors, queries, k)
    np.testing.assert_array_equal(ranking.ids, ids)
    np.testing.assert_array_equal(ranking.scores, scores)
    assert ranking.cost.vectors_compared == len(vectors) * len(queries)


@given(whole_numbers())
@settings(max_examples=100, deadline=None)
def test_faiss_gives_the_reference_scores_and_orders_ties_by_row(
    case: tuple[FloatArray, FloatArray, int],
) -> None:
    vectors, queries, k = case
    index = FaissFlat()
    index.build(vectors)
    ranking = index.search(queries, k)
    _, scores = reference(vectors, queries, k)
    np.testing.assert_array_equal(ranking.scores, scores)
    for ids, found, query in zip(ranking.ids, ranking.scores, queries, strict=True):
        kept = ids[ids >= 0]
        np.testing.assert_array_equal(vectors[kept] @ query, found[: len(kept)])
        assert sorted(zip(-found[: len(kept)], kept, strict=True)) == list(
            zip(-found[: len(kept)], kept, strict=True)
        )


def test_both_agree_on_real_valued_vectors() -> None:
    vectors, queries = random_unit(700, 48), random_unit(33, 48, seed=1)
    rankings = []
    for index in (TorchExact(), FaissFlat()):
        index.build(vectors)
        rankings.append(index.search(queries, 20))
    np.testing.assert_array_equal(rankings[0].ids, rankings[1].ids)
    np.testing.assert_allclose(rankings[0].scores, rankings[1].scores, atol=1e-6)


def test_blocks_of_the_gallery_and_of_the_queries_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.integers(-2, 3, (203, 6)).astype(np.float32)
    queries = rng.integers(-2, 3, (41, 6)).astype(np.float32)
    monkeypatch.setattr(exact, "_ITEMS_AT_ONCE", 32)
    monkeypatch.setattr(exact, "_QUERIES_AT_ONCE", 16)
    index = TorchExact()
    index.build(vectors)
    for k in (1, 7, 50, 203, 210):
        ids, scores = reference(vectors, queries, k)
        ranking = index.search(queries, k)
        np.testing.assert_array_equal(ranking.ids, ids)
        np.testing.assert_array_equal(ranking.scores, scores)


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 300])
@pytest.mark.parametrize("dim", [1, 33, 128])
def test_an_answer_has_the_same_bits_in_any_batch(rows: int, dim: int) -> None:
    index = TorchExact()
    index.build(random_unit(rows, dim))
    queries = random_unit(37, dim, seed=1)
    together = index.search(queries, 10)
    for place in range(len(queries)):
        alone = index.search(queries[place : place + 1], 10)
        np.testing.assert_array_equal(alone.ids[0], together.ids[place])
        np.testing.assert_array_equal(alone.scores[0], together.scores[place])


@BOTH
def test_identical_vectors_have_equal_scores_and_the_lower_row_first(
    make: Callable[[], VectorIndex],
) -> None:
    once = random_unit(101, 40)
    order = np.random.default_rng(2).permutation(202)
    index = make()
    index.build(np.concatenate([once, once])[order])
    ranking = index.search(random_unit(9, 40, seed=3), 202)
    np.testing.assert_array_equal(ranking.scores[:, ::2], ranking.scores[:, 1::2])
    assert (ranking.ids[:, ::2] < ranking.ids[:, 1::2]).all()


@BOTH
def test_building_again_replaces_what_was_there(make: Callable[[], VectorIndex]) -> None:
    index = make()
    index.build(random_unit(30, 4))
    index.build(random_unit(2, 4))
    assert index.bytes == 2 * 4 * 4
    assert set(index.search(random_unit(1, 4), 5).ids[0]) == {0, 1, -1}


@BOTH
def test_misuse_is_refused(make: Callable[[], VectorIndex]) -> None:
    index = make()
    with pytest.raises(ValueError, match="call build first"):
        index.search(random_unit(1, 4), 1)
    with pytest.raises(ValueError, match="row 1 is not"):
        index.build(np.array([[0.0], [np.nan]], np.float32))
    index.build(random_unit(3, 4))
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.search(random_unit(1, 4), 0)
    with pytest.raises(ValueError, match="5 dimensions, the index has 4"):
        index.search(random_unit(1, 5), 1)
    with pytest.raises(ValueError, match="finite"):
        index.search(np.full((1, 4), np.inf, np.float32), 1)
    with pytest.raises(ValueError, match="matrix"):
        index.build(np.zeros(4, np.float32))


def test_without_faiss_the_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(RuntimeError, match=r"\[cpu\].*\[gpu\]"):
        FaissFlat()


@pytest.mark.gpu
def test_a_gpu_gives_the_reference_too() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rng = np.random.default_rng(0)
    vectors = rng.integers(-2, 3, (500, 6)).astype(np.float32)
    queries = rng.integers(-2, 3, (41, 6)).astype(np.float32)
    index = TorchExact("cuda")
    index.build(vectors)
    ids, scores = reference(vectors, queries, 30)
    ranking = index.search(queries, 30)
    np.testing.assert_array_equal(ranking.ids, ids)
    np.testing.assert_array_equal(ranking.scores, scores)
