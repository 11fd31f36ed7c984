"""How long a run still takes, learned from what its cells took and from earlier runs."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from statistics import mean
from typing import Generic, TypeVar

Lane = TypeVar("Lane", bound=Hashable)


class TimeLeft(Generic[Lane]):
    """The cells of a run that are not finished yet, by lane; used by several threads.

    lanes    lane -> the kind of each of its cells (its retriever), in the order in which they run
    earlier  kind -> seconds of such cells in earlier runs
    at_once  lanes under way at a time
    clock    seconds that only rise
    """

    def __init__(
        self,
        lanes: Mapping[Lane, Sequence[Hashable]],
        earlier: Mapping[Hashable, Sequence[float]],
        at_once: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = {lane: deque(kinds) for lane, kinds in lanes.items()}
        self._earlier, self._at_once, self._clock = earlier, at_once, clock
        self._began: dict[Lane, float] = {}
        self._seen: dict[Hashable, list[float]] = {}
        self._lock = threading.Lock()

    def began(self, lane: Lane) -> None:
        """The next cell of a lane is under way."""
        with self._lock:
            self._began[lane] = self._clock()

    def ended(self, lane: Lane, *, done: bool) -> None:
        """The cell under way has ended; one that is not done teaches nothing of the others."""
        with self._lock:
            took = self._clock() - self._began.pop(lane)
            kind = self._waiting[lane].popleft()
            if done:
                self._seen.setdefault(kind, []).append(took)

    def seconds(self) -> float | None:
        """Seconds until the last lane has ended; None while a cell of unknown length is left.

        A cell takes what its kind took in this run, else what it took in earlier ones. Lanes take
        turns as they do in ``bench.side_by_side``.
        """
        with self._lock:
            now = self._clock()
            under_way = [lane for lane in self._waiting if lane in self._began]
            rest = [lane for lane in self._waiting if lane not in self._began]
            lengths = []
            for lane in (*under_way, *rest):
                length = self._length(lane, now)
                if length is None:
                    return None
                lengths.append(length)
        return longest_worker(lengths, self._at_once)

    def _length(self, lane: Lane, now: float) -> float | None:
        """Of all that is left of a lane; what is under way may take longer than was thought."""
        expected = [self._expected(kind) for kind in self._waiting[lane]]
        known = [each for each in expected if each is not None]
        if len(known) < len(expected):
            return None
        if lane in self._began:
            known[0] = max(0.0, known[0] - (now - self._began[lane]))
        return sum(known)

    def _expected(self, kind: Hashable) -> float | None:
        found = self._seen.get(kind) or self._earlier.get(kind)
        return mean(found) if found else None


def longest_worker(lengths: Sequence[float], workers: int) -> float:
    """When the last of some works ends, each begun in its turn by the worker that is free first."""
    free = [0.0] * max(1, workers)
    for length in lengths:
        soonest = free.index(min(free))
        free[soonest] += length
    return max(free)


def in_words(seconds: float | None) -> str:
    """As "about 12 min left", in steps no finer than an estimate deserves."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 10:
        return "a few seconds left"
    if seconds < 115:
        return f"about {10 * math.ceil(seconds / 10)} s left"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min left"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"about {hours} h {minutes:02} min left" if minutes else f"about {hours} h left"
