"""Approximate indexes against a plain NumPy ranking of the same clustered vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.candidates import CandidateSet, drawn
from retrievers.base import FloatArray, IntArray
from retrievers.indexes import ApproximateIndex, TorchExact, nearest
from retrievers.indexes.approximate import KINDS, Kind
from retrievers.indexes.estimates import estimate
from retrievers.indexes.faiss_gpu import FaissGpu

EACH = pytest.mark.parametrize("kind", KINDS)
COUNT, DIM = 4000, 64


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> CandidateSet:
    return drawn(tmp_path_factory.mktemp("drawn"), COUNT, DIM)


def built(kind: Kind, candidates: CandidateSet, effort: int = 1) -> ApproximateIndex:
    index = ApproximateIndex(kind, threads=1)
    index.build_from(candidates)
    index.effort = effort
    return index


def brute_force(candidates: CandidateSet, queries: FloatArray, k: int) -> IntArray:
    return np.argsort(-(queries @ candidates.vectors.T), axis=1, kind="stable")[:, :k]


def share_found(found: IntArray, exact: IntArray) -> float:
    both = zip(found, exact, strict=True)
    return float(np.mean([np.isin(right, row).mean() for row, right in both]))


@dataclass(frozen=True)
class Uneven:
    """The vectors in blocks of other sizes than asked for."""

    whole: FloatArray

    @property
    def count(self) -> int:
        return len(self.whole)

    @property
    def dim(self) -> int:
        return self.whole.shape[1]

    def blocks(self, rows: int = 0) -> Iterator[FloatArray]:
        yield from np.split(self.whole, [1, 700, 701, 2500])


@EACH
def test_more_effort_finds_more_and_the_most_finds_all(
    kind: Kind, candidates: CandidateSet
) -> None:
    queries = candidates.queries(100)
    exact = brute_force(candidates, queries, 10)
    index = built(kind, candidates)
    shares = []
    for effort in (1, 8, 64, index.greatest_effort):
        index.effort = effort
        ranking = index.search(queries, 10)
        assert (ranking.scores[:, 1:] <= ranking.scores[:, :-1]).all()
        shares.append(share_found(ranking.ids, exact))
    assert shares == sorted(shares)
    assert shares[0] < 0.8
    assert shares[-1] > (0.999 if kind == "ivf" else 0.97)


@EACH
def test_scores_are_inner_products_to_the_stored_precision(
    kind: Kind, candidates: CandidateSet
) -> None:
    queries = candidates.queries(20)
    ranking = built(kind, candidates, effort=50).search(queries, 10)
    real = np.einsum("qkd,qd->qk", candidates.vectors[ranking.ids], queries)
    np.testing.assert_allclose(ranking.scores, real, atol=1e-6 if kind == "ivf" else 0.02)


@pytest.mark.parametrize("kind", ["ivf", "ivf-sq8", "pq"])
def test_vectors_in_a_stream_give_the_index_of_the_whole(
    kind: Kind, candidates: CandidateSet
) -> None:
    whole = ApproximateIndex(kind, threads=1)
    whole.build(np.array(candidates.vectors))
    streamed = ApproximateIndex(kind, threads=1)
    streamed.build_from(Uneven(np.array(candidates.vectors)))
    whole.effort = streamed.effort = 12
    queries = candidates.queries(60)
    here, there = whole.search(queries, 15), streamed.search(queries, 15)
    np.testing.assert_array_equal(here.ids, there.ids)
    np.testing.assert_array_equal(here.scores, there.scores)
    assert here.cost == there.cost
    assert whole.bytes == streamed.bytes


@EACH
def test_a_written_index_is_read_back(kind: Kind, candidates: CandidateSet, tmp_path: Path) -> None:
    index = built(kind, candidates, effort=9)
    index.write(tmp_path / "index")
    assert index.bytes == (tmp_path / "index").stat().st_size
    read = ApproximateIndex(kind, threads=1)
    read.read(tmp_path / "index")
    read.effort = 9
    queries = candidates.queries(30)
    np.testing.assert_array_equal(read.search(queries, 10).ids, index.search(queries, 10).ids)
    assert (read.bytes, read.facts) == (index.bytes, index.facts)
    other = ApproximateIndex("hnsw" if kind != "hnsw" else "ivf")
    with pytest.raises(ValueError, match="holds Index"):
        other.read(tmp_path / "index")


def test_cost_counts_the_vectors_of_the_opened_lists_and_the_centroids(
    candidates: CandidateSet,
) -> None:
    index = built("ivf", candidates)
    lists = index.greatest_effort
    index.effort = lists
    assert index.search(candidates.queries(7), 5).cost.vectors_compared == 7 * (COUNT + lists)
    index.effort = 3
    few = index.search(candidates.queries(7), 5).cost.vectors_compared
    assert 7 * lists < few < 7 * (lists + COUNT / 4)
    graph = built("hnsw", candidates, effort=16).search(candidates.queries(7), 5)
    assert 7 * 16 < graph.cost.vectors_compared < 7 * COUNT / 2


@EACH
def test_fewer_than_k_leave_places_unfilled(kind: Kind, candidates: CandidateSet) -> None:
    few = CandidateSet(candidates.path, 70, DIM, seed=0)
    index = built(kind, few)
    index.effort = index.greatest_effort
    ranking = index.search(candidates.queries(3), 80)
    for ids, scores in zip(ranking.ids, ranking.scores, strict=True):
        filled = ids[ids >= 0]
        assert len(set(filled)) == len(filled)
        assert len(filled) > 60
        assert (ids[len(filled) :] == -1).all()
        assert np.isneginf(scores[len(filled) :]).all()
    assert index.search(candidates.queries(0), 3).ids.shape == (0, 3)


@EACH
@pytest.mark.parametrize("dim", [2, 7, 10])
def test_any_width_is_taken(kind: Kind, dim: int, tmp_path: Path) -> None:
    candidates = drawn(tmp_path, 500, dim)
    index = built(kind, candidates)
    index.effort = index.greatest_effort
    queries = candidates.queries(20)
    best = index.search(queries, 10).ids
    exact = np.sort(queries @ candidates.vectors.T, axis=1)[:, -10]
    scores = np.einsum("qkd,qd->qk", candidates.vectors[best], queries)
    assert (scores >= exact[:, None] - 0.02).mean() > 0.9


@EACH
def test_misuse_is_refused(kind: Kind, candidates: CandidateSet) -> None:
    index = ApproximateIndex(kind)
    assert index.bytes == 0
    with pytest.raises(ValueError, match="call build first"):
        index.search(candidates.queries(1), 1)
    with pytest.raises(ValueError, match="at least 64 vectors, not 63"):
        index.build(candidates.vectors[:63])
    broken = np.array(candidates.vectors[:100])
    broken[71, 3] = np.nan
    with pytest.raises(ValueError, match="row 71 is not"):
        index.build(broken)
    index.build(candidates.vectors[:100])
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        index.effort = 0
    with pytest.raises(ValueError, match="5 dimensions, the index has 64"):
        index.search(np.zeros((1, 5), np.float32), 1)


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    kind: Any = "lsh"
    with pytest.raises(ValueError, match="'lsh': name one of ivf, ivf-sq8, hnsw, pq"):
        ApproximateIndex(kind)


def test_exact_search_of_a_stream_is_that_of_the_whole(candidates: CandidateSet) -> None:
    whole = TorchExact()
    whole.build(candidates.vectors)
    queries = candidates.queries(33)
    streamed = nearest(Uneven(np.array(candidates.vectors)), queries, 20)
    expected = whole.search(queries, 20)
    np.testing.assert_array_equal(streamed.ids, expected.ids)
    np.testing.assert_allclose(streamed.scores, expected.scores, atol=1e-6)
    assert streamed.cost == expected.cost
    few = CandidateSet(candidates.path, 3, DIM, seed=0)
    assert (nearest(few, queries, 5).ids[:, 3:] == -1).all()


@EACH
def test_the_bytes_foretold_are_those_held(kind: Kind, candidates: CandidateSet) -> None:
    foretold = estimate(kind, COUNT, DIM)
    assert foretold.bytes == pytest.approx(built(kind, candidates).bytes, rel=0.15)
    assert foretold.peak_bytes > foretold.bytes
    assert estimate(kind, 10**6, 512).seconds > 50 * estimate(kind, 10**4, 512).seconds
    assert estimate(kind, 10**6, 512, threads=4).seconds < estimate(kind, 10**6, 512).seconds


def test_a_faiss_without_gpu_says_what_to_install() -> None:
    faiss = pytest.importorskip("faiss")
    if hasattr(faiss, "StandardGpuResources"):
        pytest.skip("this FAISS has GPU indexes")
    with pytest.raises(RuntimeError, match=r"processor only.*faiss-gpu-cu12"):
        FaissGpu("flat")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["flat", "ivf", "cagra"])
def test_a_gpu_finds_what_brute_force_finds(kind: Any, candidates: CandidateSet) -> None:
    try:
        index = FaissGpu(kind)
    except RuntimeError as absent:
        pytest.skip(str(absent))
    index.build_from(candidates)
    index.effort = index.greatest_effort
    queries = candidates.queries(50)
    found = index.search(queries, 10)
    assert share_found(found.ids, brute_force(candidates, queries, 10)) > 0.97
    assert index.bytes >= 4 * DIM * COUNT
