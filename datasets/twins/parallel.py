"""Make the items of a twin in parallel processes, in order, with a progress bar."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from datasets.ordered_pool import default_workers

Job = TypeVar("Job")
Made = TypeVar("Made")

IN_PROCESS = 256


def split_sizes(items: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Items by split; each split has at least one, and the first takes what rounding leaves.

    shares  split -> its share of the items; the first split's own is not looked at

    Raises ValueError when there is not one item for each split.
    """
    if items < len(shares):
        raise ValueError(f"the twin needs at least {len(shares)} items, not {items}")
    first, *others = shares
    sizes = {split: max(1, round(items * shares[split])) for split in others}
    return {first: items - sum(sizes.values()), **sizes}


def places(sizes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Each item's split and its place in it, in the order of the splits."""
    return [(split, place) for split, size in sizes.items() for place in range(size)]


def make_all(
    make: Callable[[Job], Made], jobs: Sequence[Job], *, label: str, workers: int | None = None
) -> Iterator[Made]:
    """Yield ``make(job)`` in the order of the jobs.

    label    what the progress bar says is being made: "scenes"
    workers  processes, as many as processors by default; few jobs are done in this process
             unless ``workers`` is given

    ``make`` and the jobs are sent to other processes, so both must be picklable by name.
    """
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Drawing {len(jobs):,} {label}", total=len(jobs))
        for made in _made(make, jobs, workers):
            progress.advance(task)
            yield made


def _made(make: Callable[[Job], Made], jobs: Sequence[Job], workers: int | None) -> Iterator[Made]:
    if len(jobs) <= IN_PROCESS and workers is None:
        yield from map(make, jobs)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers or default_workers(), mp_context=context)
    try:
        with _deaf_children():
            made = pool.map(make, jobs, chunksize=16)
        yield from made
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, which a terminal sends to them too.

    This process answers it alone, afterwards where it comes meanwhile. A signal that is blocked
    stays so in the processes that are started; Windows has no such thing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
