"""One measurement: fit, index, search, and the figures that follow from the ranking."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from bench.cells import CellSpec, Measure
from bench.machine import accelerator_peak_bytes, peak_bytes
from bench.metrics import IntArray, Ranks, first_relevant_ranks, per_query
from bench.ranking_check import check_ranking
from bench.statistics import measures
from datasets.base import Dataset, Item, Pairs, Query
from retrievers.base import Cost, Diagnosable, IndexStats, Ranking, Retriever, RetrieverSpec

QUERIES_AT_ONCE = 256

Say = Callable[[str], None]


class SpecMismatch(Exception):
    """The retriever that was built is not the one that was announced."""


@dataclass(frozen=True)
class Measurement:
    """What one retriever did on one dataset; the names are those of ``bench.cells.Cell``.

    gallery  the items in the order in which they were indexed
    ranking  row numbers of ``gallery``
    frame    the columns of ``bench.store.RANK_COLUMNS``, a row a query
    """

    gallery: tuple[Item, ...]
    ranking: Ranking
    ranks: Ranks
    frame: pd.DataFrame
    metrics: Mapping[str, Measure]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    memory: Mapping[str, int]
    diagnostics: Mapping[str, float]
    notes: tuple[str, ...]


def shuffled(items: Sequence[Item], seed: int) -> tuple[Item, ...]:
    """The gallery in a random order, so that the order of its rows tells nothing."""
    order = np.random.default_rng([seed, 0x6A]).permutation(len(items))
    return tuple(items[row] for row in order)


def relevant_rows(queries: Sequence[Query], gallery: Sequence[Item]) -> IntArray:
    """[queries, most right items of a query] rows of the gallery, padded with -1."""
    row_of = {item.id: row for row, item in enumerate(gallery)}
    rows = np.full((len(queries), max(len(query.relevant) for query in queries)), -1, np.int64)
    for number, query in enumerate(queries):
        rows[number, : len(query.relevant)] = [row_of[item] for item in query.relevant]
    return rows


def search_all(retriever: Retriever, texts: Sequence[str], k: int, gallery: int) -> Ranking:
    """The ranking of every query, in batches. Raises BadRanking."""
    parts = []
    starts = range(0, len(texts), QUERIES_AT_ONCE)
    for start in track(starts, description="search", console=Console(stderr=True)):
        batch = texts[start : start + QUERIES_AT_ONCE]
        part = retriever.search(batch, k)
        check_ranking(part, queries=len(batch), k=k, gallery=gallery)
        parts.append(part)
    total = {
        field.name: sum(getattr(part.cost, field.name) for part in parts) for field in fields(Cost)
    }
    return Ranking(
        np.concatenate([part.ids for part in parts]).astype(np.int64),
        np.concatenate([part.scores for part in parts]).astype(np.float32),
        Cost(**total),
    )


def measure(spec: CellSpec, dataset: Dataset, retriever: Retriever, say: Say) -> Measurement:
    """Take the ranking of ``retriever`` and score it.

    say  is told the phase that begins: "fit", "index", "search", "diagnose"

    What it took is measured here, not asked for, and memory before the retriever is shown the
    answers. Raises SpecMismatch, BadRanking, and whatever the retriever raises.
    """
    if retriever.spec != spec.retriever:
        raise SpecMismatch(_difference(spec.retriever, retriever.spec))
    gallery = shuffled(dataset.gallery, spec.seed)
    texts = [query.text for query in dataset.queries]
    relevant = relevant_rows(dataset.queries, gallery)

    say("fit")
    started = time.perf_counter()
    fit_phases = retriever.fit(dataset.train, dataset.validation)
    fit_seconds = _phases("fit", fit_phases, time.perf_counter() - started)

    say("index")
    started = time.perf_counter()
    stats = retriever.index(gallery)
    index_seconds = _phases("index", stats.seconds, time.perf_counter() - started)

    say("search")
    started = time.perf_counter()
    ranking = search_all(retriever, texts, spec.k, len(gallery))
    search_seconds = {"search/all": time.perf_counter() - started}
    memory = _memory(stats)

    say("diagnose")
    diagnostics, notes = _diagnose(retriever, texts, relevant[:, 0])
    ranks = first_relevant_ranks(ranking.ids, ranking.scores, relevant)
    return Measurement(
        gallery=gallery,
        ranking=ranking,
        ranks=ranks,
        frame=_frame(dataset.queries, gallery, ranking, ranks),
        metrics=measures(per_query(ranks), [query.relevant[0] for query in dataset.queries]),
        counts=_counts(dataset, ranking.cost),
        seconds={**fit_seconds, **index_seconds, **search_seconds},
        memory=memory,
        diagnostics=diagnostics,
        notes=(*dataset.notes, *notes),
    )


def _difference(announced: RetrieverSpec, built: RetrieverSpec) -> str:
    pairs = (
        (field.name, getattr(announced, field.name), getattr(built, field.name))
        for field in fields(RetrieverSpec)
    )
    parts = [
        f"{name} {told!r}, built with {found!r}" for name, told, found in pairs if told != found
    ]
    return f"it was announced with {'; '.join(parts)}"


def _phases(prefix: str, told: Mapping[str, float], whole: float) -> dict[str, float]:
    """Seconds by phase that add up to the whole that the harness saw."""
    phases = {f"{prefix}/{name}": float(seconds) for name, seconds in told.items()}
    rest = whole - sum(phases.values())
    return {**phases, f"{prefix}/other": max(rest, 0.0)}


def _memory(stats: IndexStats) -> dict[str, int]:
    found = {"peak_bytes": peak_bytes(), "index_bytes": int(stats.bytes)}
    accelerator = accelerator_peak_bytes()
    return {**found, "accelerator_peak_bytes": accelerator} if accelerator else found


def _diagnose(
    retriever: Retriever, texts: Sequence[str], relevant: IntArray
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The ranking stands whether or not a retriever can explain it."""
    if not isinstance(retriever, Diagnosable):
        return {}, ()
    try:
        told = retriever.diagnose(texts, relevant)
    except Exception as problem:
        return {}, (
            f"The retriever could not diagnose itself: {type(problem).__name__}: {problem}",
        )
    finite = {name: float(value) for name, value in told.items() if np.isfinite(value)}
    dropped = sorted(set(told) - set(finite))
    notes = (f"Not a finite number, so left out: {', '.join(dropped)}.",) if dropped else ()
    return finite, notes


def _counts(dataset: Dataset, cost: Cost) -> dict[str, int]:
    parts: dict[str, Pairs] = {"train": dataset.train, "validation": dataset.validation}
    counts = {"gallery": len(dataset.gallery), "queries": len(dataset.queries)}
    for name, pairs in parts.items():
        counts[f"{name}_items"] = len(pairs.items)
        counts[f"{name}_captions"] = len(pairs.captions)
    return {**counts, **{field.name: getattr(cost, field.name) for field in fields(Cost)}}


def _frame(
    queries: Sequence[Query], gallery: Sequence[Item], ranking: Ranking, ranks: Ranks
) -> pd.DataFrame:
    found = ranking.ids >= 0
    pairs = list(zip(ranking.ids, ranking.scores, found, strict=True))
    return pd.DataFrame(
        {
            "query": [query.id for query in queries],
            "item": [query.relevant[0] for query in queries],
            "text": [query.text for query in queries],
            "best": ranks.best,
            "worst": ranks.worst,
            "ids": [[gallery[row].id for row in rows[held]] for rows, _, held in pairs],
            "scores": [scores[held].tolist() for _, scores, held in pairs],
        }
    )
