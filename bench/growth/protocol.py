"""The protocol of a living corpus: a share of the gallery comes later.

The gallery is indexed without it, then it is added without training, taken out and added again,
learned in a short training where the retriever can, and at last everything is indexed anew, which
is what the rest is held against. At each stage the same texts ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import pandas as pd

from bench.cells import CellSpec
from bench.directions import ranks_of, text_to_media
from bench.galleries import Gallery, galleries
from bench.measure import Say, SpecMismatch
from bench.metrics import Ranks
from datasets.base import Dataset, Item, Query
from retrievers.base import Adaptable, Retriever, Updatable

# In their order: before anything was added, with what was added untrained, after the short
# training, and indexed whole from the start.
STAGES = ("before", "added", "adapted", "whole")
GROUPS = ("seen", "added")


class NotUpdatable(Exception):
    """The retriever's gallery cannot change."""


class NothingToAdd(Exception):
    """The gallery is too small to hold a share of it out."""


@dataclass(frozen=True)
class Split:
    """A gallery in two: what is indexed first, and what comes later.

    queries  group -> the texts whose (first) right item is in it
    """

    seen: tuple[Item, ...]
    added: tuple[Item, ...]
    queries: Mapping[str, tuple[Query, ...]]

    @property
    def whole(self) -> tuple[Item, ...]:
        return (*self.seen, *self.added)


@dataclass(frozen=True)
class Growth:
    """What was found at each stage.

    items    group -> how many
    asked    group -> the id of the right item of each of its queries
    answers  stage -> group -> ranks of the right items, in the order of ``asked``; without
             "adapted" where the retriever cannot learn what was added, and before anything was
             added only of the seen
    undone   share of the queries about seen items that are answered with the very same items
             once what was added is taken out again
    seconds  of "fit", "index", "add", "remove", "adapt" (where there is one) and "whole"
    """

    items: Mapping[str, int]
    asked: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, Mapping[str, Ranks]]
    undone: float
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()


@dataclass
class _Clock:
    """Tells the phases as they begin, and keeps the seconds of each."""

    say: Say
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """The seconds of a phase that comes twice are those of the last time."""
        self.say(name)
        began = perf_counter()
        yield
        self.seconds[name] = perf_counter() - began


def split(gallery: Gallery, share: float, seed: int) -> Split:
    """Hold out ``share`` of the items, drawn by the seed; at least one on either side.

    Raises NothingToAdd for a gallery of fewer than two items.
    """
    count = len(gallery.items)
    if count < 2:
        raise NothingToAdd(f"a gallery of {count} items has none to hold out")
    later = min(max(1, round(share * count)), count - 1)
    drawn = np.random.default_rng([seed, 0x11]).permutation(count)[:later]
    held_out = {gallery.items[row].id for row in drawn.tolist()}
    return Split(
        tuple(item for item in gallery.items if item.id not in held_out),
        tuple(item for item in gallery.items if item.id in held_out),
        {
            "seen": tuple(one for one in gallery.queries if one.relevant[0] not in held_out),
            "added": tuple(one for one in gallery.queries if one.relevant[0] in held_out),
        },
    )


def grow(spec: CellSpec, dataset: Dataset, retriever: Retriever, share: float, say: Say) -> Growth:
    """Put ``retriever`` through the protocol; the first fold's gallery where there are several.

    say  is told the phase that begins: "fit", "index", "add", "remove", "adapt", "whole"

    Raises SpecMismatch, NotUpdatable, NothingToAdd, BadRanking, and what the retriever raises.
    """
    if retriever.spec != spec.retriever:
        raise SpecMismatch("it was built with other settings than it was announced with")
    if not isinstance(retriever, Updatable):
        raise NotUpdatable(f"{retriever.spec.name} cannot add items to its gallery")
    folds = galleries(dataset, spec.seed)
    parts = split(folds[0], share, spec.seed)
    ids = [item.id for item in parts.added]
    clock = _Clock(say)
    with clock.phase("fit"):
        retriever.fit(dataset.train, dataset.validation)
    with clock.phase("index"):
        retriever.index(parts.seen)
    alone = _ask(retriever, parts, parts.seen, spec.k, ("seen",))
    with clock.phase("add"):
        retriever.add(parts.added)
    answers = {"before": alone, "added": _ask(retriever, parts, parts.whole, spec.k)}
    with clock.phase("remove"):
        retriever.remove(ids)
    undone = _same(alone["seen"], _ask(retriever, parts, parts.seen, spec.k, ("seen",))["seen"])
    if isinstance(retriever, Adaptable):
        with clock.phase("add"):
            retriever.add(parts.added)
        with clock.phase("adapt"):
            retriever.adapt(ids)
        answers["adapted"] = _ask(retriever, parts, parts.whole, spec.k)
    with clock.phase("whole"):
        retriever.index(parts.whole)
    answers["whole"] = _ask(retriever, parts, parts.whole, spec.k)
    several = (f"The first of {len(folds)} galleries alone.",) if len(folds) > 1 else ()
    return Growth(
        items={"seen": len(parts.seen), "added": len(parts.added)},
        asked={
            group: tuple(query.relevant[0] for query in parts.queries[group]) for group in GROUPS
        },
        answers={
            stage: {group: ranks_of(frame) for group, frame in frames.items()}
            for stage, frames in answers.items()
        },
        undone=undone,
        seconds=clock.seconds,
        notes=(*dataset.notes, *several),
    )


def _ask(
    retriever: Retriever,
    parts: Split,
    items: tuple[Item, ...],
    k: int,
    groups: Sequence[str] = GROUPS,
) -> dict[str, pd.DataFrame]:
    """Group -> the columns of ``bench.store.RANK_COLUMNS``, a row a query; a group without
    queries is left out."""
    return {
        group: text_to_media(retriever, Gallery(items, parts.queries[group]), k).frame
        for group in groups
        if parts.queries[group]
    }


def _same(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Share of the queries that are answered with the same items in the same order."""
    alike = [list(a) == list(b) for a, b in zip(one["ids"], other["ids"], strict=True)]
    return sum(alike) / len(alike)
