"""Served rows that behave well or badly on purpose, named in full: tests.bench.speed_toys:Slow."""

from __future__ import annotations

import os
import signal
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.candidates import CandidateSet
from retrievers.base import Ranking, unfilled
from retrievers.serving.contract import Answered, Built, CannotServe, Needs, Place, Say

STALL_SECONDS = 0.5
STALLED_QUERY = 60


def hashed(texts: Sequence[str], k: int, count: int) -> Ranking:
    """Rows that follow from the text alone, all different."""
    ids, scores = unfilled(len(texts), k)
    found = min(k, count)
    for row, text in enumerate(texts):
        ids[row, :found] = (zlib.crc32(text.encode()) + np.arange(found)) % count
        scores[row, :found] = 1 - np.arange(found) / k
    return Ranking(ids, scores)


def one_at_a_time(texts: Sequence[str], k: int, count: int) -> Ranking:
    """The same rows, each from a plain sum."""
    ids = [[(zlib.crc32(text.encode()) + place) % count for place in range(k)] for text in texts]
    scores = [[1 - place / k for place in range(k)] for _ in texts]
    return Ranking(np.array(ids, np.int64), np.array(scores, np.float32))


def as_it_is(ranking: Ranking) -> Ranking:
    return ranking


def always_the_first(ranking: Ranking) -> Ranking:
    ids = np.tile(np.arange(ranking.ids.shape[1]), (len(ranking.ids), 1))
    return Ranking(ids, ranking.scores)


def twice_the_same(ranking: Ranking) -> Ranking:
    ids = ranking.ids.copy()
    ids[:, 1] = ids[:, 0]
    return Ranking(ids, ranking.scores)


def not_a_number(ranking: Ranking) -> Ranking:
    return Ranking(ranking.ids, np.full_like(ranking.scores, np.nan))


def one_short(ranking: Ranking) -> Ranking:
    return Ranking(ranking.ids[:-1], ranking.scores[:-1])


def kill_itself(ranking: Ranking) -> Ranking:
    os.kill(os.getpid(), signal.SIGKILL)
    return ranking


def crash(ranking: Ranking) -> Ranking:
    raise RuntimeError("the toy broke as it was told to")


def crash_at_once() -> None:
    raise RuntimeError("the toy broke as it was told to")


def nothing() -> None:
    """A gallery that is there at once."""


def write_own_number() -> None:
    (Path(os.environ["TOY_FOLDER"]) / "server").write_text(str(os.getpid()))


def hang() -> None:
    write_own_number()
    time.sleep(3600)


def lack_memory() -> None:
    raise CannotServe("The toy needs more room than the box has.")


@dataclass
class Toy:
    """Answers in a known time, and does to its answers what it was told."""

    a_batch: float
    a_query: float
    twist: Callable[[Ranking], Ranking]
    on_build: Callable[[], None]
    part: float
    stalls: bool
    count: int = 0
    answered: int = 0

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        return {"seconds a batch": self.a_batch, "seconds a query": self.a_query}

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        self.on_build()
        self.count = candidates.count
        return Built({"toy": 0.5}, gallery_bytes=10, model_bytes=20, facts={"lists": 7})

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        began = time.perf_counter()
        before, self.answered = self.answered, self.answered + len(texts)
        stall = STALL_SECONDS if self.stalls and before <= STALLED_QUERY < self.answered else 0.0
        if pause := self.a_batch + self.a_query * len(texts) + stall:
            time.sleep(pause)
        ranking = self.twist(hashed(texts, k, self.count))
        spent = time.perf_counter() - began
        return Answered(ranking, {"encode": spent / 4, "search": 3 * spent / 4}, self.part)

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        return one_at_a_time(texts, k, self.count)


@dataclass(frozen=True)
class ToyClass:
    """What a target names: makes the toy, and tells what it needs."""

    a_batch: float = 0.002
    a_query: float = 0.0001
    twist: Callable[[Ranking], Ranking] = as_it_is
    on_build: Callable[[], None] = nothing
    part: float = 1.0
    stalls: bool = False

    def __call__(self, place: Place) -> Toy:
        if place.device != "cpu":
            raise CannotServe("The toy runs on a processor alone.")
        return Toy(self.a_batch, self.a_query, self.twist, self.on_build, self.part, self.stalls)

    def needs(self, place: Place, candidates: int) -> Needs:
        return Needs(
            seconds_to_build=0.5,
            seconds_a_query=self.a_query + self.a_batch / 100,
            host_bytes=1 << 20,
        )


Slow = ToyClass()
VerySlow = ToyClass(a_query=0.004)
StallsOnce = ToyClass(a_batch=0.001, a_query=0.0, stalls=True)
Quarter = ToyClass(part=0.25)
Garbage = ToyClass(twist=always_the_first)
Duplicates = ToyClass(twist=twice_the_same)
NotANumber = ToyClass(twist=not_a_number)
OneShort = ToyClass(twist=one_short)
Crashes = ToyClass(twist=crash)
Killed = ToyClass(twist=kill_itself)
TellsItsNumber = ToyClass(on_build=write_own_number)
Hangs = ToyClass(on_build=hang)
BuildCrashes = ToyClass(on_build=crash_at_once)
Lacking = ToyClass(on_build=lack_memory)
