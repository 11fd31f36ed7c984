"""The ways in which a dual tower under load looks up its candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

from datasets.candidates import CandidateSet
from retrievers.base import VectorIndex
from retrievers.indexes import FaissFlat, TorchExact
from retrievers.indexes.approximate import Kind
from retrievers.indexes.faiss_gpu import FaissGpu, GpuKind
from retrievers.indexes.faiss_package import import_faiss
from retrievers.indexes.kept import tuned_index
from retrievers.indexes.tuning import DEPTH, Tuned, tune
from retrievers.serving.contract import CannotServe, Place, Say
from retrievers.serving.search_costs import (
    TUNED_BY,
    SearchCost,
    check_room,
    exact_cost,
    flat_cost,
    gpu_cost,
    index_cost,
)

# Up to here comparing all takes a twentieth of what encoding CLIP's text does, or less.
SMALL = 20_000
# At equal recall of 100,000 candidates it asks a fifth of the time that whole vectors in inverted
# lists ask, and a third of the memory.
FASTEST: Kind = "pq"

Facts = Mapping[str, str | int | float | bool]
Build = Callable[[Place, CandidateSet, Say], "Gallery"]
Cost = Callable[[Place, int, int], SearchCost]


@dataclass(frozen=True)
class Gallery:
    """Candidates that can be searched.

    seconds  phase -> seconds of taking them
    facts    what was chosen and measured there
    """

    index: VectorIndex
    seconds: Mapping[str, float]
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """One of the ways.

    told   as the options tell it
    build  takes the candidates. Raises CannotServe
    cost   (place, candidates, dim) -> an estimate, nothing built
    """

    told: str
    build: Build
    cost: Cost


def flat(place: Place, candidates: CandidateSet, say: Say) -> Gallery:
    """FAISS's exact search on the processor. Raises CannotServe."""
    check_room(place, flat_cost(place, candidates.count, candidates.dim))
    _check_faiss()
    return _compared(FaissFlat(place.threads), candidates, say)


def exact(place: Place, candidates: CandidateSet, say: Say) -> Gallery:
    """Exact search in torch on the row's device. Raises CannotServe."""
    check_room(place, exact_cost(place, candidates.count, candidates.dim))
    return _compared(TorchExact(place.device), candidates, say)


def tuned(kind: Kind, place: Place, candidates: CandidateSet, say: Say) -> Gallery:
    """FAISS's index on the processor, kept in the place's cache. Raises CannotServe."""
    check_room(place, index_cost(kind, place, candidates.count, candidates.dim))
    _check_faiss()
    try:
        kept = tuned_index(kind, candidates, place.cache, place.threads, queries=TUNED_BY, say=say)
    except ValueError as error:
        raise CannotServe(f"{_sentence(error)} Use the form exact.") from error
    return Gallery(kept.index, kept.seconds, {**kept.index.facts, **tuning_facts(kept.tuned)})


def gpu(place: Place, candidates: CandidateSet, say: Say) -> Gallery:
    """FAISS on the GPU: exact for few candidates, else inverted lists. Raises CannotServe."""
    check_room(place, gpu_cost(place, candidates.count, candidates.dim))
    kind: GpuKind = "flat" if candidates.count <= SMALL else "ivf"
    try:
        index = FaissGpu(kind, place.device)
    except RuntimeError as error:
        raise CannotServe(str(error)) from error
    start = perf_counter()
    index.build_from(candidates, say)
    built = perf_counter()
    facts: Facts = {"index": f"FAISS on the GPU, {kind}"}
    if kind == "ivf":
        facts = {**facts, **_tuned_on_device(index, place, candidates)}
    return Gallery(index, {"index": built - start, "tuning": perf_counter() - built}, facts)


def best(place: Place, candidates: CandidateSet, say: Say) -> Gallery:
    """Whatever is fastest without losing more than 1 of 20 of the exact answers.

    On CUDA without a FAISS that runs there that is exact search in torch. Raises CannotServe.
    """
    if candidates.count <= SMALL:
        return exact(place, candidates, say)
    if place.device == "cpu":
        return tuned(FASTEST, place, candidates, say)
    try:
        return gpu(place, candidates, say)
    except CannotServe:
        return exact(place, candidates, say)


def best_cost(place: Place, count: int, dim: int) -> SearchCost:
    if count > SMALL and place.device == "cpu":
        return index_cost(FASTEST, place, count, dim)
    return exact_cost(place, count, dim)


def tuning_facts(found: Tuned) -> Facts:
    """What was chosen, and every setting that was tried as "curve/SETTING/FIGURE"."""
    curve: dict[str, float] = {}
    for point in found.curve:
        setting = f"curve/{found.effort_name} {point.effort}"
        curve[f"{setting}/recall@{DEPTH}"] = round(point.recall, 4)
        curve[f"{setting}/queries/s"] = round(point.queries_per_second, 1)
    return {**found.facts, **curve}


def _compared(index: FaissFlat | TorchExact, candidates: CandidateSet, say: Say) -> Gallery:
    say("taking the candidates", 0, candidates.count)
    start = perf_counter()
    index.build(candidates.vectors)
    seconds = perf_counter() - start
    say("taking the candidates", candidates.count, candidates.count)
    return Gallery(index, {"index": seconds}, {"index": "all compared"})


def _tuned_on_device(index: FaissGpu, place: Place, candidates: CandidateSet) -> Facts:
    queries = candidates.queries(TUNED_BY)
    compared = TorchExact(place.device)
    compared.build(candidates.vectors)
    return tuning_facts(tune(index, queries, compared.search(queries, DEPTH).ids))


def _check_faiss() -> None:
    """Raises CannotServe where FAISS is not installed."""
    try:
        import_faiss()
    except RuntimeError as error:
        raise CannotServe(str(error)) from error


def _sentence(error: Exception) -> str:
    told = str(error)
    return f"{told[:1].upper()}{told[1:]}."


FLAT = Search("FAISS IndexFlatIP on the processor", flat, flat_cost)
EXACT = Search("exact, in torch", exact, exact_cost)
BEST = Search(f"exact up to {SMALL:,} candidates, then a tuned FAISS IVF-PQ", best, best_cost)
IVF = Search("FAISS IVF, tuned", partial(tuned, "ivf"), partial(index_cost, "ivf"))
HNSW = Search("FAISS HNSW, tuned", partial(tuned, "hnsw"), partial(index_cost, "hnsw"))
PQ = Search("FAISS IVF-PQ, scored again, tuned", partial(tuned, "pq"), partial(index_cost, "pq"))
GPU = Search("FAISS on the GPU, tuned", gpu, gpu_cost)
