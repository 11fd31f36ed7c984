"""FAISS's searches on a CUDA device: exact, inverted lists, and the graph CAGRA."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from datasets.candidates.drawn import Say
from retrievers.base import Cost, FloatArray, Ranking, unfilled
from retrievers.indexes.approximate import ROUNDS, TRAINED_A_LIST
from retrievers.indexes.faiss_package import import_faiss, ordered
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

GpuKind = Literal["flat", "ivf", "cagra"]
_LINKS = 32
# Beyond these FAISS's kernels refuse.
_DEEPEST, _MOST_PROBES = 2048, 2048


class FaissGpu:
    """An index of FAISS on one CUDA device, over vectors of length 1.

    flat   every vector compared
    ivf    2 sqrt(N) inverted lists of whole vectors; ``effort`` is nprobe
    cagra  a graph of 32 links, which only the cuVS builds of FAISS have; ``effort`` is itopk_size

    Raises RuntimeError where the installed FAISS lacks the kind or no such device is there.
    """

    def __init__(self, kind: GpuKind = "flat", device: str = "cuda", seed: int = 0) -> None:
        if kind not in get_args(GpuKind):
            raise ValueError(
                f"there is no index {kind!r}: name one of {', '.join(get_args(GpuKind))}"
            )
        self.kind: GpuKind = kind
        self._faiss = import_faiss()
        _check_build(self._faiss, kind)
        self._number = _device_number(self._faiss, device)
        self._resources = self._faiss.StandardGpuResources()
        self._seed = seed
        self._index: Any = None
        self._effort = 1

    @property
    def bytes(self) -> int:
        """On the device: the vectors, and the graph or the lists."""
        if self._index is None:
            return 0
        count, dim = int(self._index.ntotal), int(self._index.d)
        besides = {
            "flat": 0,
            "ivf": 8 * count + 4 * dim * _lists(count),
            "cagra": 4 * _LINKS * count,
        }
        return 4 * dim * count + besides[self.kind]

    @property
    def effort_name(self) -> str:
        return "itopk_size" if self.kind == "cagra" else "nprobe"

    @property
    def greatest_effort(self) -> int:
        """1 where every vector is compared."""
        if self.kind == "flat":
            return 1
        if self.kind == "cagra":
            return 512
        return min(_MOST_PROBES, int(self._built().nlist))

    @property
    def effort(self) -> int:
        return self._effort

    @effort.setter
    def effort(self, value: int) -> None:
        """Raises ValueError below 1 or where nothing was built."""
        if value < 1:
            raise ValueError(f"{self.effort_name} must be at least 1, not {value}")
        self._effort = min(value, self.greatest_effort)
        if self.kind == "ivf":
            self._built().nprobe = self._effort

    def build(self, vectors: FloatArray) -> None:
        """Take vectors [items, dim]. Raises ValueError unless all are finite, and for too few."""
        check_vectors(vectors, "vectors")
        self.build_from(Held(vectors))

    def build_from(self, vectors: Vectors, say: Say | None = None) -> None:
        """Take vectors block by block; "cagra" holds them all on the host meanwhile.

        Raises ValueError unless all are finite, and but for "flat" for fewer than 64.
        """
        if self.kind != "flat":
            check_enough(vectors)
        tell = say or (lambda *_: None)
        index = self._untrained(vectors.count, vectors.dim)
        if self.kind == "cagra":
            # The graph is linked at once, by "train".
            whole = sample(vectors, vectors.count)
            check_vectors(whole, "vectors")
            index.train(whole)
        else:
            if not index.is_trained:
                tell("training the index", 0, vectors.count)
                trained_on = sample(vectors, _lists(vectors.count) * TRAINED_A_LIST)
                check_vectors(trained_on, "sampled vectors")
                index.train(trained_on)
            fill(index, vectors, tell)
        self._index = index
        self.effort = self._effort

    def search(self, queries: FloatArray, k: int) -> Ranking:
        """Rank for queries [queries, dim], k at most 2,048.

        The cost of an approximate search is not told by the device and stays 0 there.
        Raises ValueError for another k, when nothing was built or when the widths differ.
        """
        index = self._built()
        check_search(queries, k, index.d)
        if k > _DEEPEST:
            raise ValueError(f"FAISS finds at most {_DEEPEST} on a GPU, not {k}")
        count = int(index.ntotal)
        found = min(k, count)
        ids, scores = unfilled(len(queries), k)
        if found and len(queries):
            best, rows = index.search(contiguous(queries), found, **self._how(found))
            scores[:, :found], ids[:, :found] = ordered(best, rows)
        return Ranking(ids, scores, Cost(len(queries) * count if self.kind == "flat" else 0))

    def _how(self, k: int) -> dict[str, Any]:
        if self.kind != "cagra":
            return {}
        how = self._faiss.SearchParametersCagra()
        how.itopk_size = max(self._effort, k)
        return {"params": how}

    def _untrained(self, count: int, dim: int) -> Any:
        faiss = self._faiss
        if self.kind == "flat":
            config = faiss.GpuIndexFlatConfig()
            config.device = self._number
            return faiss.GpuIndexFlatIP(self._resources, dim, config)
        if self.kind == "ivf":
            config = faiss.GpuIndexIVFFlatConfig()
            config.device = self._number
            index = faiss.GpuIndexIVFFlat(
                self._resources, dim, _lists(count), faiss.METRIC_INNER_PRODUCT, config
            )
            index.cp.seed, index.cp.niter = self._seed, ROUNDS
            index.cp.min_points_per_centroid = 1
            return index
        config = faiss.GpuIndexCagraConfig()
        config.device = self._number
        config.graph_degree, config.intermediate_graph_degree = _LINKS, 2 * _LINKS
        return faiss.GpuIndexCagra(self._resources, dim, faiss.METRIC_INNER_PRODUCT, config)

    def _built(self) -> Any:
        if self._index is None:
            raise ValueError("the index holds nothing: call build first")
        return self._index


def _lists(count: int) -> int:
    return max(1, min(int(2 * math.sqrt(count)), count // 8))


def _check_build(faiss: Any, kind: GpuKind) -> None:
    if not hasattr(faiss, "StandardGpuResources"):
        raise RuntimeError(
            "The installed FAISS runs on the processor only. For its GPU indexes put "
            'faiss-gpu-cu12 in its place: pip uninstall faiss-cpu, then pip install -e ".[gpu]".'
        )
    if kind == "cagra" and not hasattr(faiss, "GpuIndexCagra"):
        raise RuntimeError(
            "The installed FAISS has no CAGRA: only its builds with cuVS do (faiss-gpu-cuvs)."
        )


def _device_number(faiss: Any, device: str) -> int:
    name, _, number = device.partition(":")
    if name != "cuda" or not (number or "0").isdecimal():
        raise ValueError(f'a GPU index runs on "cuda" or "cuda:N", not {device!r}')
    chosen = int(number or 0)
    there = int(faiss.get_num_gpus())
    if chosen >= there:
        raise RuntimeError(f"FAISS sees {there} CUDA devices, so there is no {device}.")
    return chosen
