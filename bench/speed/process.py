"""Runs one row's scenarios in a fresh pair of processes: one that answers and one that asks."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bench.children import Child, death, start_child
from bench.speed.cells import NOTHING, ProcessRun, Scenario, Window
from bench.speed.job import LoadSettings, SpeedJob, speed_job_to_json
from bench.speed.lookup import served_row
from retrievers.serving.contract import Say

__all__ = [
    "CannotRun",
    "LoadSettings",
    "RowFailed",
    "SpeedJob",
    "generator_ceiling",
    "timed_runs",
]


_CEILING_SECONDS = 2.0
_CEILING_CANDIDATES = 1000
# A row that answers faster than this share of what the generator can ask is not measured by it.
_SHARE_OF_CEILING = 0.5

_ceilings: dict[tuple[float, ...], float] = {}


class RowFailed(Exception):
    """A row broke, gave answers that are not its own, or cannot be measured; a sentence."""


class CannotRun(Exception):
    """A row cannot run here, at this size or in these numbers; the message is the reason."""


class _Lost(Exception):
    """What asks has lost what answers, which says why itself."""


def timed_runs(
    job: SpeedJob, say: Say, stop: threading.Event | None = None, *, quiet: bool = True
) -> Generator[tuple[Scenario, ProcessRun], None, None]:
    """Build a row once in a fresh process, and yield each scenario's run as it is done.

    say    is told what is being done, and how far it is
    stop   ends the work when it is set
    quiet  whether what the processes print is hidden

    Whatever was started ends with this iterator, however it ends. Before the first job of a run
    of the sweep the load generator's own ceiling is measured. Raises RowFailed, CannotRun,
    retrievers.serving.rows.UnknownRow, and bench.side_by_side.Stopped once ``stop`` is set.
    """
    name = served_row(job.row).name
    ceiling = 0.0 if name == NOTHING else generator_ceiling(job, say, stop, quiet=quiet)
    for scenario, run in _runs(job, say, stop, quiet):
        if name == NOTHING:
            ceiling = ceiling or _throughput(run)
        elif scenario != "batch-100":
            _refuse_near(ceiling, _throughput(run))
        yield scenario, replace(run, generator_qps=ceiling)


def generator_ceiling(
    job: SpeedJob, say: Say, stop: threading.Event | None = None, *, quiet: bool = True
) -> float:
    """Queries a second of "closed-100" against a row that does nothing.

    Measured once in the life of this process for the same front end, depth and threads.
    """
    load = job.load
    key = (load.outstanding, load.largest_batch, load.wait_ms, load.texts, job.k, job.threads)
    if key not in _ceilings:
        nothing = replace(
            job,
            row=NOTHING,
            device="cpu",
            numbers="auto",
            candidates=_CEILING_CANDIDATES,
            scenarios=("closed-100",),
            seconds=_CEILING_SECONDS,
        )
        ((_, run),) = _runs(nothing, say, stop, quiet)
        _ceilings[key] = _throughput(run)
    return _ceilings[key]


def _throughput(run: ProcessRun) -> float:
    seconds = sum(window.end - window.begin for window in run.windows)
    return run.completed / seconds


def _refuse_near(ceiling: float, found: float) -> None:
    if found > _SHARE_OF_CEILING * ceiling:
        raise RowFailed(
            f"It answers {found:,.0f} queries/s, more than half of the {ceiling:,.0f} that the "
            "load generator reaches against a row that does nothing: what asks would be measured, "
            "not the row. Run the scenario batch-100, which asks without a generator."
        )


def _runs(
    job: SpeedJob, say: Say, stop: threading.Event | None, quiet: bool
) -> Iterator[tuple[Scenario, ProcessRun]]:
    with ExitStack() as started:

        def start(module: str, end: socket.socket, threads: int) -> Child:
            child = start_child(module, threads=threads, quiet=quiet, descriptors=(end.fileno(),))
            started.callback(child.end)
            child.tell(speed_job_to_json(job))
            return child

        # Each end is closed here once a process has it: else none would see the other's go.
        answering, asking = socket.socketpair()
        with asking:
            with answering:
                server = start("bench.speed.server", answering, job.threads)
            said = server.lines(stop)
            built = _built(server, said, say)
            generator = start("bench.speed.generator", asking, 1)
        try:
            for scenario, run in _finished(generator, say, stop):
                yield (
                    scenario,
                    replace(run, build=built["seconds"], facts={**built["facts"], **run.facts}),
                )
        except _Lost:
            raise _reason(server, said) from None
        # Both are leaving; one that is asked to while it does so would complain of it.
        generator.left()
        server.left()


def _built(server: Child, said: Iterator[bytes], say: Say) -> dict[str, Any]:
    """What the server tells of its gallery once it is ready to answer."""
    for line in said:
        message = json.loads(line)
        if "built" in message:
            found: dict[str, Any] = message["built"]
            return found
        if "say" in message:
            say(*message["say"])
        if "cannot" in message:
            raise CannotRun(message["cannot"])
        if "failed" in message:
            raise RowFailed(f"while building: {message['failed']}")
    raise RowFailed(f"while building: {death(server.left())}")


def _finished(
    generator: Child, say: Say, stop: threading.Event | None
) -> Iterator[tuple[Scenario, ProcessRun]]:
    for line in generator.lines(stop):
        message = json.loads(line)
        if "say" in message:
            say(*message["say"])
        elif "run" in message:
            yield message["scenario"], _run_of(message["run"])
        elif "done" in message:
            return
        elif "lost" in message:
            raise _Lost
        else:
            raise RowFailed(f"in the load generator: {message['failed']}")
    raise RowFailed(f"in the load generator: {death(generator.left())}")


def _run_of(found: dict[str, Any]) -> ProcessRun:
    windows = tuple(Window(**window) for window in found["windows"])
    latencies = tuple(found["latencies_ms"])
    return ProcessRun(**{**found, "windows": windows, "latencies_ms": latencies})


def _reason(server: Child, said: Iterator[bytes]) -> RowFailed | CannotRun:
    """Why a server stopped answering."""
    for line in said:
        message = json.loads(line)
        if "cannot" in message:
            return CannotRun(message["cannot"])
        if "failed" in message:
            return RowFailed(f"while answering: {message['failed']}")
    return RowFailed(f"while answering: {death(server.left())}")
