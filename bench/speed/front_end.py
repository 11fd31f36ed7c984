"""One front end for every row: it batches, answers, checks, and remembers what it took."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice

from bench.machine import accelerator_peak_bytes, peak_bytes
from bench.ranking_check import check_ranking
from bench.speed.agreement import agreement
from bench.speed.batcher import Batcher, Request
from bench.speed.job import SpeedJob
from bench.speed.questions import questions
from bench.speed.record import Record
from bench.speed.rounds import Pace, rounds
from bench.speed.wire import Message, Wire
from retrievers.base import Ranking
from retrievers.serving.contract import Answered, Built, Served

# Answers are compared with the reference so many at a time, until the time for it is spent.
_COMPARED_AT_ONCE = 2


class Disagrees(Exception):
    """Answers under load are not those that the row's own reference gives."""


class FrontEnd:
    """Answers on a connection, one batch at a time, in the order in which requests came.

    To {"ask": [[number, text], ...]} it says {"answers": [[number, [row, ...]], ...]}. The scores
    stay here: written as text they would take longer than the fastest rows do. It takes three
    orders besides, each told when nothing is
    outstanding, and says something to each: {"begin": seed} of a scenario, {"direct": pace} to
    ask itself whole batches without a connection between, and {"end": [begin, end]}, upon which
    it compares a sample of its answers and reports that stretch of time.
    """

    def __init__(
        self,
        served: Served,
        required: float,
        built: Built,
        job: SpeedJob,
        wire: Wire,
        clock: Callable[[], float],
    ) -> None:
        self._served = served
        self._required = required
        self._built = built
        self._job = job
        self._wire = wire
        self._clock = clock
        self._orders: deque[Message] = deque()
        self._batcher = Batcher(
            self._receive, job.load.largest_batch, job.load.wait_ms / 1000, clock
        )
        self._record = Record(job.load.sample, job.seed)
        # Other texts than what asks from outside has.
        self._texts = questions(job.load.texts, job.seed + 1)
        self._memory: dict[str, int] = {}

    def serve(self) -> None:
        """Until the other end closes: raises wire.Closed then.

        Raises ranking_check.BadRanking and Disagrees, and whatever the row raises.
        """
        while True:
            batch = self._batcher.next()
            if batch:
                self._answer(batch)
            while self._orders:
                self._wire.send(self._obey(self._orders.popleft()))

    def _receive(self, timeout: float | None) -> list[Request]:
        messages = self._wire.receive(timeout)
        at = self._clock()
        self._orders += [message for message in messages if "ask" not in message]
        return [
            Request(number, text, at)
            for message in messages
            for number, text in message.get("ask", ())
        ]

    def _answer(self, batch: Sequence[Request]) -> None:
        texts = [request.text for request in batch]
        answered = self._checked(texts)
        at = self._clock()
        numbers, ids = [request.number for request in batch], answered.ranking.ids.tolist()
        self._wire.send({"answers": list(zip(numbers, ids, strict=True))})
        self._record.add(batch[0].at, at, self._clock(), texts, answered)

    def _direct(self) -> Sequence[float]:
        """One call with as many texts as are outstanding elsewhere; the seconds of each."""
        texts = list(islice(self._texts, self._job.load.outstanding))
        began = self._clock()
        answered = self._checked(texts)
        at = self._clock()
        self._record.add(began, at, at, texts, answered)
        return [at - began] * len(texts)

    def _checked(self, texts: Sequence[str]) -> Answered:
        """The row's answers. Raises ranking_check.BadRanking."""
        job = self._job
        answered = self._served.answer(texts, job.k)
        check_ranking(answered.ranking, queries=len(texts), k=job.k, gallery=job.candidates)
        return answered

    def _obey(self, order: Message) -> Message:
        if "begin" in order:
            self._record = Record(self._job.load.sample, order["begin"])
            return {"begun": True}
        if "direct" in order:
            pace = Pace(**order["direct"])
            return {"timed": asdict(rounds(self._direct, pace, self._clock, lambda _: None))}
        return {"report": self._report(*order["end"])}

    def _report(self, begin: float, end: float) -> Message:
        # The comparison needs memory of its own, so the peak is read before the first.
        self._memory = self._memory or self._peaks()
        checked, share = self._compared()
        sums = asdict(self._record.between(begin, end))
        return {**sums, "memory": self._memory, "checked": checked, "agreement": share}

    def _peaks(self) -> dict[str, int]:
        accelerator = accelerator_peak_bytes()
        return {
            "gallery_bytes": self._built.gallery_bytes,
            "model_bytes": self._built.model_bytes,
            "peak_bytes": peak_bytes(),
            **({"accelerator_peak_bytes": accelerator} if accelerator else {}),
        }

    def _compared(self) -> tuple[int, float]:
        """How many answers were compared with the reference, and their mean agreement."""
        texts, given = self._record.sample()
        shares: list[float] = []
        began = self._clock()
        while len(shares) < len(texts) and self._clock() - began < self._job.seconds:
            rows = slice(len(shares), len(shares) + _COMPARED_AT_ONCE)
            reference = self._served.reference(texts[rows], self._job.k)
            some = Ranking(given.ids[rows], given.scores[rows])
            shares += agreement(some, reference).tolist()
        mean = sum(shares) / len(shares)
        if mean < self._required - 1e-6:
            raise Disagrees(
                f"of {len(shares)} answers under load {mean:.1%} of the places are those of its "
                f"own reference, below the {self._required:.0%} that it must hold"
            )
        return len(shares), mean
