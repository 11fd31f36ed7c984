"""The ways of asking: always so many outstanding, all at once, and whenever a request is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from bench.speed.arrivals import arrivals
from bench.speed.asker import Asker
from bench.speed.rounds import Pace, Tick, Timed, rounds
from bench.speed.windows import Cutter, may_end, rates, steady, steady_part

# What waits looks up this often, to say how far it is.
_LOOK_SECONDS = 0.25
# Steps of the search for the highest rate within a bound, each of which halves what is open.
_STEPS = 5

# (the instant of answers, since when each was waited for)
Log = list[tuple[float, list[float]]]


def closed(asker: Asker, outstanding: int, pace: Pace, tick: Tick) -> Timed:
    """``outstanding`` requests are always under way: every answer lets the next be asked."""
    started = asker.clock()
    asker.ask([started] * outstanding)
    cutter = None if pace.warm_up else Cutter(started, pace.width)
    log: Log = []
    while True:
        at, starts = asker.answered(_LOOK_SECONDS)
        tick(at - started)
        if not starts:
            continue
        log.append((at, starts))
        if cutter is None:
            cutter = Cutter(at, pace.width) if at - started >= pace.warm_up else None
        elif cutter.add(at, len(starts)):
            begin = cutter.windows[0].begin
            if may_end(rates(cutter.windows), at - begin, pace.seconds):
                break
        asker.ask([at] * len(starts))
    _drained(asker)
    counted = steady_part(cutter.windows)
    begin, end = counted[0].begin, counted[-1].end
    latencies = [at - start for at, starts in log if begin < at <= end for start in starts]
    return Timed(
        begin=begin,
        end=end,
        windows=counted,
        steady=steady(rates(cutter.windows)),
        latencies=tuple(latencies),
        completed=len(latencies),
        warm_up=sum(len(starts) for _, starts in log) - len(latencies),
    )


def once(asker: Asker, together: int) -> list[float]:
    """The seconds that each of ``together`` requests at once takes."""
    started = asker.clock()
    asker.ask([started] * together)
    return [at - start for at, starts in _drained(asker) for start in starts]


def burst(asker: Asker, together: int, pace: Pace, tick: Tick) -> Timed:
    """``together`` requests at once, again when all of them are answered."""
    return rounds(lambda: once(asker, together), pace, asker.clock, tick)


def open_loop(asker: Asker, rate: float, fewest: int, pace: Pace, seed: int, tick: Tick) -> Timed:
    """Requests are due by a Poisson process, whether or not earlier ones are answered.

    A latency counts from when its request was due, so that a row which stalls is charged for all
    that came meanwhile. It is steady where as much is answered as falls due: by the share of each
    window's requests, not by their number, which is the schedule's.

    fewest  requests that must be answered before it may end
    """
    schedule = arrivals(rate, seed)
    started = asker.clock()
    begin = started + pace.warm_up
    due = started + next(schedule)
    asked: list[float] = []
    cutter = Cutter(begin, pace.width)
    log: Log = []
    counted = 0
    while True:
        now = asker.clock()
        ready = []
        while due <= now:
            ready.append(due)
            due = started + next(schedule)
        asker.ask(ready)
        asked += ready
        at, starts = asker.answered(max(0.0, min(due - asker.clock(), _LOOK_SECONDS)))
        tick(at - started)
        if not starts:
            continue
        log.append((at, starts))
        if at <= begin:
            continue
        counted += len(starts)
        ended_window = cutter.add(at, len(starts)) and counted >= fewest
        if ended_window and may_end(_kept_up(cutter, asked), at - begin, pace.seconds):
            break
    log += _drained(asker)
    end = cutter.windows[-1].end
    latencies = [at - start for at, starts in log for start in starts if begin <= start <= end]
    return Timed(
        begin=begin,
        end=end,
        windows=tuple(cutter.windows),
        steady=steady(_kept_up(cutter, asked)),
        latencies=tuple(latencies),
        completed=sum(window.completed for window in cutter.windows),
        warm_up=sum(len(starts) for at, starts in log if at <= begin),
        offered=rate,
    )


def highest_rate(p95: Callable[[float], float], bound: float, capacity: float) -> float:
    """Requests a second up to which ``p95`` of a rate stays within a bound; 0 where it never does.

    Found by halving below the capacity, whose 32nd part is the resolution.
    """
    low, high = 0.0, capacity
    for _ in range(_STEPS):
        rate = (low + high) / 2
        low, high = (rate, high) if p95(rate) <= bound else (low, rate)
    return low


def p95_ms(timed: Timed) -> float:
    """Milliseconds; not a number where nothing was answered."""
    return float(1000 * np.percentile(timed.latencies, 95)) if timed.latencies else float("nan")


def _kept_up(cutter: Cutter, asked: Sequence[float]) -> list[float]:
    """Of each window, what was answered in it as a share of what fell due in it."""
    ends = [cutter.windows[0].begin, *(window.end for window in cutter.windows)]
    due = [last - first for first, last in pairwise(np.searchsorted(asked, ends).tolist())]
    return [
        window.completed / count if count else float("nan")
        for window, count in zip(cutter.windows, due, strict=True)
    ]


def _drained(asker: Asker) -> Log:
    """What comes until nothing is outstanding."""
    log: Log = []
    while asker.outstanding:
        at, starts = asker.answered(_LOOK_SECONDS)
        if starts:
            log.append((at, starts))
    return log
