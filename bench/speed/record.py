"""What a server remembers of one scenario: its batches, and a sample of its answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from bench.speed.windows import covered
from retrievers.base import Ranking
from retrievers.serving.contract import Answered


@dataclass(frozen=True)
class Batch:
    """One batch that was answered.

    came      when the front end had its oldest request
    answered  when it had the answers, before anyone else could
    written   when they had left
    seconds   phase -> seconds of the row's own clock
    """

    came: float
    answered: float
    written: float
    size: int
    seconds: Mapping[str, float]
    part: float


class Record:
    """Of one scenario.

    sample  answers that are kept, each with the same chance however many there are
    """

    def __init__(self, sample: int, seed: int) -> None:
        self._batches: list[Batch] = []
        self._sample = sample
        self._draw = Random(seed)
        self._seen = 0
        self._kept: list[tuple[str, list[int], list[float]]] = []

    def add(
        self, came: float, at: float, written: float, texts: Sequence[str], answered: Answered
    ) -> None:
        """Take the answers to ``texts``, in their order, and the instants of their batch."""
        self._batches.append(Batch(came, at, written, len(texts), answered.seconds, answered.part))
        ranking = answered.ranking
        for row, text in enumerate(texts):
            self._seen += 1
            full = len(self._kept) == self._sample
            place = self._draw.randrange(self._seen) if full else len(self._kept)
            if place < self._sample:
                kept = (text, ranking.ids[row].tolist(), ranking.scores[row].tolist())
                self._kept[place : place + 1] = [kept]

    def sample(self) -> tuple[list[str], Ranking]:
        """The kept texts and what was answered. Raises ValueError where none were kept."""
        if not self._kept:
            raise ValueError("no answer was kept")
        texts, ids, scores = zip(*self._kept, strict=True)
        return list(texts), Ranking(np.array(ids, np.int64), np.array(scores, np.float32))

    def between(self, begin: float, end: float) -> Sums:
        """What was answered after ``begin`` and not after ``end``."""
        held = [batch for batch in self._batches if begin < batch.answered <= end]
        seconds: dict[str, float] = defaultdict(float)
        for batch in held:
            for phase, spent in batch.seconds.items():
                seconds[phase] += spent
        in_hand = covered([(batch.came, batch.written) for batch in held], begin, end)
        seconds["front end"] = max(in_hand - sum(seconds.values()), 0.0)
        sizes = Counter(batch.size for batch in held)
        queries = sum(batch.size for batch in held)
        return Sums(
            batches={str(size): sizes[size] for size in sorted(sizes)},
            seconds=dict(seconds),
            part=sum(batch.part * batch.size for batch in held) / queries if queries else 1.0,
        )


@dataclass(frozen=True)
class Sums:
    """Of the batches of a stretch of time.

    batches  size -> how often
    seconds  phase -> seconds, and "front end" for what of the time in which the server had a
             request in hand was not the row's
    part     mean over queries of the share of the work that was done
    """

    batches: Mapping[str, int]
    seconds: Mapping[str, float]
    part: float
