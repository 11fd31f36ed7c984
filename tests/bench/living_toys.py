"""Retrievers whose gallery grows, named in full: tests.bench.living_toys:LEARNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.base import Item
from retrievers.base import Availability, IndexStats, Ranking, RetrieverSpec, Settings
from tests.bench.toy import ToyRetriever, nothing, ranked, shared_words


@dataclass
class Grows(ToyRetriever):
    """Finds what it knows by the words of its id: all that it indexed, nothing that was added."""

    known: set[str] = field(default_factory=set)

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.known = {item.id for item in items}
        return super().index(items)

    def add(self, items: Sequence[Item]) -> None:
        self.gallery += [item.id for item in items]

    def remove(self, ids: Sequence[str]) -> None:
        self.gallery = [one for one in self.gallery if one not in ids]

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        told = [
            [self.scorer(query, one) if one in self.known else 0.0 for one in self.gallery]
            for query in queries
        ]
        return ranked(told, k)


@dataclass
class Learns(Grows):
    """Learns the first half of what was added, and forgets the first item of its gallery."""

    def adapt(self, ids: Sequence[str]) -> Mapping[str, float]:
        self.known |= set(ids[: len(ids) // 2])
        self.known.discard(self.gallery[0])
        return {"train": 0.0}


@dataclass
class Stirs(Grows):
    """Turns its gallery round whenever something is taken out."""

    def remove(self, ids: Sequence[str]) -> None:
        super().remove(ids)
        self.gallery.reverse()


@dataclass(frozen=True)
class GrowingAdapter:
    name: str
    make: Any

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "")

    def describe(self, settings: Settings) -> RetrieverSpec:
        return RetrieverSpec(self.name, "generative", ("image",), "random", "Apache-2.0")

    def build(self, settings: Settings) -> Any:
        return self.make(self.describe(settings), shared_words, nothing)

    def tiny(self, seed: int) -> Any:
        return self.build(Settings(seed, "cpu", Path()))


LEARNS = GrowingAdapter("learns", Learns)
GROWS = GrowingAdapter("grows", Grows)
STIRS = GrowingAdapter("stirs", Stirs)
