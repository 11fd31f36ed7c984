"""Do the things of several lanes: those of one lane in turn, several lanes at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Stopped(Exception):
    """The work was asked to end before it was done."""


def side_by_side(
    lanes: Sequence[Sequence[Thing]],
    work: Callable[[Thing, threading.Event], Result],
    at_once: int,
) -> list[list[Result]]:
    """``work(thing, stop)`` of every thing, by lane.

    work     waits in short steps and raises Stopped once ``stop`` is set
    at_once  lanes under way at a time

    Where work fails, or at a KeyboardInterrupt, all that is under way is stopped and waited for
    before the exception is raised.
    """
    stop = threading.Event()

    def through(lane: Sequence[Thing]) -> list[Result]:
        done = []
        for thing in lane:
            if stop.is_set():
                raise Stopped
            done.append(work(thing, stop))
        return done

    with ThreadPoolExecutor(max(1, at_once)) as pool:
        under_way = [pool.submit(through, lane) for lane in lanes]
        try:
            ended, _ = wait(under_way, return_when=FIRST_EXCEPTION)
            for one in ended:
                one.result()
            return [one.result() for one in under_way]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
