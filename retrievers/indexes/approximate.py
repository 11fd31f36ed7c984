"""Search that compares a part of the vectors: FAISS's inverted lists, graphs and short codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from datasets.candidates.drawn import Say
from retrievers.base import Cost, FloatArray, Ranking, unfilled
from retrievers.indexes.faiss_package import import_faiss, ordered, use_threads
from retrievers.indexes.vectors import (
    Held,
    Vectors,
    check_enough,
    check_search,
    check_vectors,
    contiguous,
    fill,
    sample,
)

Kind = Literal["ivf", "ivf-sq8", "hnsw", "pq"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# The fewest that FAISS's k-means takes without a warning, and a third of its rounds: more of
# either costs minutes at a million vectors and saves few probes.
TRAINED_A_LIST, ROUNDS = 40, 8
# Ranges of numbers and codebooks of a product code need no more.
_LEAST_SAMPLE = 20_000
_LINKS, _BREADTH = 32, 40
# A product code's answers are scored again with 8 bits a number, this many for each wanted.
_AGAIN = 8


class ApproximateIndex:
    """An index of FAISS on the processor, over vectors of length 1.

    ivf      inverted lists of whole vectors
    ivf-sq8  the same with 8 bits a number: a quarter of the memory, and of what is read
    hnsw     a navigable graph of 32 links over 8 bits a number
    pq       inverted lists of product codes (4 bits for two numbers) that are compared in
             registers, the best eight times k scored again with 8 bits a number

    There are 2 sqrt(N) lists, trained on 40 vectors each in 8 rounds. ``effort`` is how far a
    search goes: the lists that it opens (nprobe) or the breadth of its front (efSearch). Scores
    are those of the stored numbers, so rounded in all kinds but "ivf".

    An index follows from its vectors and its seed, save that several threads link a graph in
    the order in which they come to it. FAISS counts its comparisons for the whole process: a
    search's cost is right while one thread searches.

    threads  of a search and of building; None leaves FAISS as it is
    """

    def __init__(self, kind: Kind, threads: int | None = None, seed: int = 0) -> None:
        if kind not in KINDS:
            raise ValueError(f"there is no index {kind!r}: name one of {', '.join(KINDS)}")
        self.kind: Kind = kind
        self._faiss = import_faiss()
        self._threads = threads
        self._seed = seed
        self._index: Any = None
        self._bytes = 0
        self._effort = 1

    @property
    def bytes(self) -> int:
        """Of the index as it is written, which is what it holds in memory."""
        return self._bytes

    @property
    def effort_name(self) -> str:
        """FAISS's own."""
        return "efSearch" if self.kind == "hnsw" else "nprobe"

    @property
    def greatest_effort(self) -> int:
        """From here on a search compares all it can."""
        index = self._built()
        return int(index.ntotal if self.kind == "hnsw" else self._lists().nlist)

    @property
    def effort(self) -> int:
        return self._effort

    @effort.setter
    def effort(self, value: int) -> None:
        """Raises ValueError below 1 or where nothing was built."""
        if value < 1:
            raise ValueError(f"{self.effort_name} must be at least 1, not {value}")
        if self.kind == "hnsw":
            self._built().hnsw.efSearch = value
        else:
            self._lists().nprobe = min(value, self.greatest_effort)
        self._effort = value

    @property
    def facts(self) -> Mapping[str, str | int]:
        """What was chosen in building, and the effort of a search."""
        index = self._built()
        told = {"index": factory(self.kind, int(index.ntotal), int(index.d))}
        return {**told, self.effort_name: self._effort}

    def build(self, vectors: FloatArray) -> None:
        """Take vectors [items, dim]. Raises ValueError unless all are finite, and for too few."""
        check_vectors(vectors, "vectors")
        self.build_from(Held(vectors))

    def build_from(self, vectors: Vectors, say: Say | None = None) -> None:
        """Take vectors that are read twice, block by block, and not held.

        Raises ValueError unless all are finite, and for fewer than 64.
        """
        check_enough(vectors)
        use_threads(self._faiss, self._threads)
        index = self._untrained(vectors.count, vectors.dim)
        tell = say or (lambda *_: None)
        tell("training the index", 0, vectors.count)
        trained_on = sample(vectors, training_rows(vectors.count))
        check_vectors(trained_on, "sampled vectors")
        index.train(trained_on)
        del trained_on
        fill(index, vectors, tell)
        self._take(index)

    def search(self, queries: FloatArray, k: int) -> Ranking:
        """Rank for queries [queries, dim]; fewer than k where the search met no more.

        Raises ValueError when k < 1, when nothing was built or when the widths differ.
        """
        index = self._built()
        check_search(queries, k, index.d)
        found = min(k, int(index.ntotal))
        ids, scores = unfilled(len(queries), k)
        if not len(queries):
            return Ranking(ids, scores)
        use_threads(self._faiss, self._threads)
        counted = self._faiss.cvar
        counted.indexIVF_stats.reset()
        counted.hnsw_stats.reset()
        best, rows = index.search(contiguous(queries), found)
        scores[:, :found], ids[:, :found] = ordered(best, rows)
        compared = int(counted.indexIVF_stats.ndis + counted.hnsw_stats.ndis)
        if self.kind != "hnsw":
            compared += len(queries) * int(self._lists().nlist)
        if self.kind == "pq":
            compared += len(queries) * min(_AGAIN * found, int(index.ntotal))
        return Ranking(ids, scores, Cost(vectors_compared=compared))

    def write(self, path: Path) -> None:
        """Raises ValueError where nothing was built, OSError where it cannot be written."""
        try:
            self._faiss.write_index(self._built(), str(path))
        except RuntimeError as error:
            raise OSError(f"the index cannot be written to {path}: {error}") from error

    def read(self, path: Path) -> None:
        """Take what ``write`` wrote.

        FAISS trusts the file: look at its digest first. Raises OSError where it cannot be read,
        and ValueError where it holds another kind of index.
        """
        try:
            index = self._faiss.read_index(str(path))
        except RuntimeError as error:
            raise OSError(f"the index {path} cannot be read: {error}") from error
        expected = type(self._untrained(int(index.ntotal), int(index.d)))
        if type(index) is not expected:
            raise ValueError(f"{path} holds {type(index).__name__}, not {expected.__name__}")
        self._take(index)

    def _untrained(self, count: int, dim: int) -> Any:
        faiss = self._faiss
        name = factory(self.kind, count, dim)
        index = faiss.index_factory(dim, name, faiss.METRIC_INNER_PRODUCT)
        if self.kind == "hnsw":
            index.hnsw.efConstruction = _BREADTH
            index.hnsw.rng = faiss.RandomGenerator(self._seed)
            return index
        lists = faiss.extract_index_ivf(index)
        _seed_clustering(lists.cp, self._seed)
        lists.cp.niter = ROUNDS
        lists.cp.max_points_per_centroid = training_rows(count)
        if self.kind == "pq":
            index.k_factor = _AGAIN
            _seed_clustering(faiss.downcast_index(index.base_index).pq.cp, self._seed)
        return index

    def _take(self, index: Any) -> None:
        self._index = index
        self._bytes = _written_bytes(self._faiss, index)
        self.effort = self._effort

    def _built(self) -> Any:
        if self._index is None:
            raise ValueError("the index holds nothing: call build first")
        return self._index

    def _lists(self) -> Any:
        return self._faiss.extract_index_ivf(self._built())


def factory(kind: Kind, count: int, dim: int) -> str:
    """The index in FAISS's own words."""
    lists = max(1, min(int(2 * math.sqrt(count)), count // 8))
    # As many codes as go into the width in twos.
    codes = dim // 2 if dim % 2 == 0 else dim
    return {
        "ivf": f"IVF{lists},Flat",
        "ivf-sq8": f"IVF{lists},SQ8",
        "hnsw": f"HNSW{_LINKS},SQ8",
        "pq": f"IVF{lists},PQ{codes}x4fs,Refine(SQ8)",
    }[kind]


def training_rows(count: int) -> int:
    """How many vectors an index of ``count`` is trained on."""
    return min(count, max(_LEAST_SAMPLE, int(2 * math.sqrt(count)) * TRAINED_A_LIST))


def _seed_clustering(parameters: Any, seed: int) -> None:
    parameters.seed = seed
    # Galleries of some dozens are legitimate; FAISS would warn of each.
    parameters.min_points_per_centroid = 1


def _written_bytes(faiss: Any, index: Any) -> int:
    total = 0

    def count(part: bytes) -> None:
        nonlocal total
        total += len(part)

    writer = faiss.PyCallbackIOWriter(count)
    faiss.write_index(index, writer)
    return total
