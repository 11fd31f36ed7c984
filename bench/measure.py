"""One measurement: fit, index, search both ways, and the figures that follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from bench.caption_check import check_captions
from bench.cells import CellSpec, Measure
from bench.directions import Answers, added, media_to_text, ranks_of, text_to_media
from bench.galleries import Gallery, galleries, relevant_rows
from bench.machine import accelerator_peak_bytes, peak_bytes
from bench.metrics import per_query
from bench.pace import pace
from bench.statistics import measures
from datasets.base import Dataset, Pairs
from retrievers.base import (
    Diagnosable,
    GalleryCaptions,
    IndexStats,
    Retriever,
    RetrieverSpec,
    TextRanker,
    Transductive,
)

Say = Callable[[str], None]


class SpecMismatch(Exception):
    """The retriever that was built is not the one that was announced."""


@dataclass(frozen=True)
class Measurement:
    """What one retriever did on one dataset; the names are those of ``bench.cells.Cell``.

    frame          the columns of ``bench.store.RANK_COLUMNS``, a row a query
    reverse_frame  those of REVERSE_COLUMNS, a row an item; None where texts cannot be ranked
    """

    frame: pd.DataFrame
    reverse_frame: pd.DataFrame | None
    metrics: Mapping[str, Measure]
    reverse: Mapping[str, Measure]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    pace: Mapping[str, Measure]
    memory: Mapping[str, int]
    diagnostics: Mapping[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Searched:
    """What one gallery gave, and the captions that it was learned from."""

    forward: Answers
    reverse: Answers | None
    captions: GalleryCaptions | None
    seconds: Mapping[str, float]
    memory: Mapping[str, int]


def measure(spec: CellSpec, dataset: Dataset, retriever: Retriever, say: Say) -> Measurement:
    """Take the rankings of ``retriever`` and score them.

    say  is told the phase that begins: "fit", then for each gallery "index", "search" and, of
         a retriever that can, "reverse"; at last "pace", of the last gallery, and "diagnose"

    The folds of a dataset are galleries of their own: seconds and work are their sums, bytes
    their largest, and each figure is the mean over all queries. What it took is measured here,
    not asked for, and the retriever is shown the answers after all rankings are taken. Raises
    SpecMismatch, BadRanking, LeakedCaptions, and whatever the retriever raises.
    """
    if retriever.spec != spec.retriever:
        raise SpecMismatch(_difference(spec.retriever, retriever.spec))
    searched = galleries(dataset, spec.seed)

    say("fit")
    started = time.perf_counter()
    fit_phases = retriever.fit(dataset.train, dataset.validation)
    fit_seconds = _phases("fit", fit_phases, time.perf_counter() - started)

    parts = [_search(spec, dataset, gallery, retriever, say) for gallery in searched]

    captioned = [
        (gallery, part.captions)
        for gallery, part in zip(searched, parts, strict=True)
        if part.captions is not None
    ]
    verbatim, remarks = check_captions(captioned, dataset.train.captions)

    say("pace")
    paced = _pace(spec, retriever, searched[-1], parts[-1].seconds["search/all"])

    say("diagnose")
    diagnostics, notes = _diagnose(retriever, searched)
    frame = pd.concat([part.forward.frame for part in parts], ignore_index=True)
    backward = [part.reverse.frame for part in parts if part.reverse is not None]
    reverse_frame = pd.concat(backward, ignore_index=True) if backward else None
    return Measurement(
        frame=frame,
        reverse_frame=reverse_frame,
        metrics=_figures(frame),
        reverse={} if reverse_frame is None else _figures(reverse_frame),
        counts=_counts(dataset, searched, parts),
        seconds={**fit_seconds, **_sums(part.seconds for part in parts)},
        pace=paced,
        memory=_largest(part.memory for part in parts),
        diagnostics={**diagnostics, **verbatim},
        notes=(*dataset.notes, *remarks, *notes),
    )


def _search(
    spec: CellSpec, dataset: Dataset, gallery: Gallery, retriever: Retriever, say: Say
) -> _Searched:
    """Index one gallery and search it, both ways where the retriever can."""
    say("index")
    started = time.perf_counter()
    stats = retriever.index(gallery.items)
    seconds = _phases("index", stats.seconds, time.perf_counter() - started)

    say("search")
    started = time.perf_counter()
    forward = text_to_media(retriever, gallery, spec.k)
    seconds["search/all"] = time.perf_counter() - started
    memory = _memory(stats)
    captions = retriever.gallery_captions() if isinstance(retriever, Transductive) else None
    if not isinstance(retriever, TextRanker):
        return _Searched(forward, None, captions, seconds, memory)

    say("reverse")
    started = time.perf_counter()
    reverse = media_to_text(retriever, gallery, dataset.media_to_text, spec.k, spec.seed)
    seconds["search/reverse"] = time.perf_counter() - started
    return _Searched(forward, reverse, captions, seconds, memory)


def _pace(
    spec: CellSpec, retriever: Retriever, gallery: Gallery, known: float
) -> dict[str, Measure]:
    """Of answers that were made elsewhere it would be how fast they are looked up."""
    if spec.retriever.weights == "imported":
        return {}
    texts = [query.text for query in gallery.queries]
    return {"batch-100": pace(lambda asked: retriever.search(asked, spec.k), texts, known)}


def _figures(frame: pd.DataFrame) -> dict[str, Measure]:
    return measures(per_query(ranks_of(frame)), list(frame["item"]))


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
    retriever: Retriever, searched: Sequence[Gallery]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """What the retriever says of the gallery that it searched last.

    The ranking stands whether or not a retriever can explain it.
    """
    if not isinstance(retriever, Diagnosable):
        return {}, ()
    last = searched[-1]
    relevant = relevant_rows(last.queries, last.items)
    try:
        told = retriever.diagnose([query.text for query in last.queries], relevant[:, 0])
    except Exception as problem:
        return {}, (
            f"The retriever could not diagnose itself: {type(problem).__name__}: {problem}",
        )
    finite = {name: float(value) for name, value in told.items() if np.isfinite(value)}
    dropped = sorted(set(told) - set(finite))
    notes = [f"Not a finite number, so left out: {', '.join(dropped)}."] if dropped else []
    if len(searched) > 1:
        notes.append(f"The diagnostics are of the last of {len(searched)} galleries.")
    return finite, tuple(notes)


def _counts(
    dataset: Dataset, searched: Sequence[Gallery], parts: Sequence[_Searched]
) -> dict[str, int]:
    learned: dict[str, Pairs] = {"train": dataset.train, "validation": dataset.validation}
    counts = {
        "gallery": max(len(gallery.items) for gallery in searched),
        "distractors": len(dataset.distractors),
        "folds": len(searched),
        "queries": len(dataset.queries),
    }
    backward = [part.reverse.frame for part in parts if part.reverse is not None]
    if backward:
        counts["items_asked"] = sum(map(len, backward))
    for name, pairs in learned.items():
        counts[f"{name}_items"] = len(pairs.items)
        counts[f"{name}_captions"] = len(pairs.captions)
    cost = added(part.forward.cost for part in parts)
    return {**counts, **{field.name: getattr(cost, field.name) for field in fields(cost)}}


def _sums(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total


def _largest(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    most: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            most[name] = max(most.get(name, 0), value)
    return most
