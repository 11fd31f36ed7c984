"""Requests that are asked together, round after round, and what a timed scenario came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.speed.cells import Window
from bench.speed.windows import IN_A_RUN, Cutter, may_end, rates, steady, steady_part

# Told how many seconds a scenario has run.
Tick = Callable[[float], None]


@dataclass(frozen=True)
class Pace:
    """How long a scenario is timed for.

    seconds  asked for
    warm_up  seconds before what counts; 0 where one batch takes so long that more would be waste
    """

    seconds: float
    warm_up: float

    @property
    def width(self) -> float:
        """Seconds of a window, at least."""
        return self.seconds / IN_A_RUN


@dataclass(frozen=True)
class Timed:
    """What a scenario came to; instants on the clock that all processes of a machine share.

    begin, end  of the part that counts
    windows     of that part
    latencies   seconds, of that part
    completed   queries, of that part
    warm_up     queries before it
    offered     requests due a second, where they do not wait for each other
    """

    begin: float
    end: float
    windows: tuple[Window, ...]
    steady: bool
    latencies: tuple[float, ...]
    completed: int
    warm_up: int
    offered: float = 0.0


def rounds(
    ask: Callable[[], Sequence[float]], pace: Pace, clock: Callable[[], float], tick: Tick
) -> Timed:
    """Ask again and again until it is steady; a window of the result is a round.

    ask  asks several queries at once, waits for all, and returns the seconds that each took
    """
    started, warm_up = clock(), 0
    while clock() - started < pace.warm_up:
        warm_up += len(ask())
    begin = clock()
    cutter = Cutter(begin, pace.width)
    done: list[tuple[Window, Sequence[float]]] = []
    while True:
        asked = clock()
        latencies = ask()
        at = clock()
        done.append((Window(asked, at, len(latencies)), latencies))
        ended_window = cutter.add(at, len(latencies))
        if ended_window and may_end(rates(cutter.windows), at - begin, pace.seconds):
            break
        tick(at - started)
    first = steady_part(cutter.windows)[0].begin
    counted = [(window, each) for window, each in done if window.begin >= first]
    completed = sum(window.completed for window, _ in counted)
    return Timed(
        begin=first,
        end=counted[-1][0].end,
        windows=tuple(window for window, _ in counted),
        steady=steady(rates(cutter.windows)),
        latencies=tuple(latency for _, each in counted for latency in each),
        completed=completed,
        warm_up=warm_up + sum(window.completed for window, _ in done) - completed,
    )
