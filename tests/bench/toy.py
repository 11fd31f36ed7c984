"""Retrievers that behave well or badly on purpose, named in full: tests.bench.toy:LEXICAL."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datasets.base import Item, Modality, Pairs
from retrievers.base import (
    Availability,
    Cost,
    IndexStats,
    IntArray,
    Ranking,
    RetrieverSpec,
    Settings,
    WeightsAbsent,
)
from retrievers.entry import Entry
from retrievers.weights.report import CheckpointError

Scorer = Callable[[str, str], float]


def shared_words(query: str, item: str) -> float:
    return float(len(set(query.lower().split()) & set(item.lower().split("-"))))


def constant(query: str, item: str) -> float:
    return 1.0


def not_a_number(query: str, item: str) -> float:
    return float("nan")


def nothing() -> None:
    """A retriever with nothing to learn."""


def crash() -> None:
    raise RuntimeError("the toy broke as it was told to")


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave_an_orphan() -> None:
    """Dies while a process that it started still holds everything that it had open."""
    orphan = os.fork()
    if orphan == 0:
        time.sleep(3600)
    (Path(os.environ["TOY_FOLDER"]) / "orphan").write_text(str(orphan))
    kill_itself()


def leave() -> None:
    raise SystemExit(7)


def wait() -> None:
    folder = Path(os.environ["TOY_FOLDER"])
    (folder / "waiting").write_text(str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)


def crash_until_mended() -> None:
    if not (Path(os.environ["TOY_FOLDER"]) / "mended").exists():
        crash()


def lack_weights() -> None:
    raise WeightsAbsent("The toy's weights are not there. Fetch them with a toy truck.")


def ranked(told: list[list[float]], k: int) -> Ranking:
    scores = np.full((len(told), k), -np.inf, np.float32)
    ids = np.full((len(told), k), -1, np.int64)
    for row, each in enumerate(np.array(told, np.float32)):
        order = np.argsort(-each, kind="stable")[:k]
        ids[row, : order.size], scores[row, : order.size] = order, each[order]
    return Ranking(ids, scores, Cost(pairs_scored=sum(map(len, told))))


@dataclass
class ToyRetriever:
    spec: RetrieverSpec
    scorer: Scorer
    on_fit: Callable[[], None]
    gallery: list[str] = field(default_factory=list)

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        self.on_fit()
        return {"toy": 0.0}

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.gallery = [item.id for item in items]
        return IndexStats({"toy": 0.0}, bytes=8 * len(items))

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        told = [[self.scorer(query, item) for item in self.gallery] for query in queries]
        return ranked(told, k)

    def save(self, folder: Path) -> None:
        (folder / "gallery.txt").write_text("\n".join(self.gallery))

    def load(self, folder: Path) -> None:
        self.gallery = (folder / "gallery.txt").read_text().split("\n")


@dataclass
class ToyOfBothDirections(ToyRetriever):
    texts: list[str] = field(default_factory=list)

    def index_texts(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        return ranked([[self.scorer(text, item.id) for text in self.texts] for item in items], k)


@dataclass
class ToyThatExplains(ToyRetriever):
    def diagnose(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        told = [self.scorer(q, self.gallery[r]) for q, r in zip(queries, relevant, strict=True)]
        return {"words shared with the answer": float(np.mean(told)), "nonsense": float("nan")}


@dataclass(frozen=True)
class ToyAdapter:
    name: str
    scorer: Scorer = shared_words
    on_fit: Callable[[], None] = nothing
    modalities: tuple[Modality, ...] = ("image",)
    ready: bool = True
    built_as: str = ""
    damage: str = ""
    make: type[ToyRetriever] = ToyRetriever

    def availability(self, settings: Settings) -> Availability:
        return Availability(self.ready, "" if self.ready else "The toy is in the wash.")

    def describe(self, settings: Settings) -> RetrieverSpec:
        if self.damage:
            raise CheckpointError(self.damage)
        return self._spec(self.name)

    def build(self, settings: Settings) -> ToyRetriever:
        return self.make(self._spec(self.built_as or self.name), self.scorer, self.on_fit)

    def tiny(self, seed: int) -> ToyRetriever:
        return self.make(self._spec(self.name), self.scorer, self.on_fit)

    def _spec(self, name: str) -> RetrieverSpec:
        return RetrieverSpec(name, "dual tower", self.modalities, "trained here", "Apache-2.0")


LEXICAL = ToyAdapter("lexical", make=ToyThatExplains)
TWO_WAY = ToyAdapter("two-way", make=ToyOfBothDirections)
CONSTANT = ToyAdapter("constant", scorer=constant)
NAN = ToyAdapter("nan", scorer=not_a_number)
CRASH = ToyAdapter("crash", on_fit=crash)
KILLED = ToyAdapter("killed", on_fit=kill_itself)
ORPHAN = ToyAdapter("orphan", on_fit=leave_an_orphan)
LEAVES = ToyAdapter("leaves", on_fit=leave)
WAITS = ToyAdapter("waits", on_fit=wait)
MENDABLE = ToyAdapter("mendable", on_fit=crash_until_mended)
LACKING = ToyAdapter("lacking", on_fit=lack_weights)
OPENED = ToyAdapter("opened", damage="The toy's box was opened.")
DAMAGED = Entry(
    name="damaged",
    target="tests.bench.toy:OPENED",
    paradigm="dual tower",
    modalities=("image",),
    summary="weights that cannot be read",
    licence="Apache-2.0",
)
WASHED = ToyAdapter("washed", ready=False)
AUDIO = ToyAdapter("audio", modalities=("audio",))
NARROWER = Entry(
    name="narrower",
    target="tests.bench.toy:AUDIO",
    paradigm="dual tower",
    modalities=("image", "audio"),
    summary="ranks less than its entry says",
    licence="Apache-2.0",
)
IMPOSTOR = ToyAdapter("impostor", built_as="another")
