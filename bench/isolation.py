"""Runs one job in a fresh process, so that no cell can spoil another or end the run."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.checkout import CHECKOUT
from bench.job import Job, job_to_json
from bench.side_by_side import Stopped

GRACE_SECONDS = 5.0
LEAVING_SECONDS = 60.0
POLL_SECONDS = 0.2
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
# How long a thread of GNU OpenMP spins before it sleeps. Left alone it spins for milliseconds,
# which takes the processor from the thread it waits for as soon as anything else runs: beside one
# busy program on two cores a training step took 0.6 to 0.8 s, with this 0.33 s; alone 0.18 s and
# 0.19 s.
SPIN = {"GOMP_SPINCOUNT": "3000"}
SPIN_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
PHASES = {
    "start": "while starting",
    "load": "while loading",
    "fit": "while fitting",
    "index": "while indexing",
    "search": "while searching",
    "reverse": "while searching texts",
    "diagnose": "while diagnosing",
    "store": "while storing",
}


@dataclass(frozen=True)
class Ended:
    """How a job ended: "done", "absent" (weights are missing) or "failed", and why."""

    status: Literal["done", "absent", "failed"]
    reason: str = ""


def run_isolated(
    job: Job,
    *,
    threads: int | None = None,
    quiet: bool = False,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = lambda phase: None,
) -> Ended:
    """Run a job and wait for it. What it starts ends with it, also on KeyboardInterrupt.

    stop  ends the job when it is set; Stopped is raised then
    say   is told each phase that begins, a key of PHASES
    """
    reader, writer = os.pipe()
    output = subprocess.DEVNULL if quiet else None
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bench.cell_process", str(writer)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=_environment(threads),
            pass_fds=(writer,),
            start_new_session=True,
        )
    finally:
        os.close(writer)
    try:
        return _follow(process, _lines(process, reader, stop), job_to_json(job), say)
    finally:
        os.close(reader)
        _stop(process)


def _environment(threads: int | None) -> Mapping[str, str]:
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    count = dict.fromkeys(THREAD_VARIABLES, str(threads)) if threads else {}
    spin = {} if any(name in os.environ for name in SPIN_VARIABLES) else SPIN
    return {**os.environ, "PYTHONPATH": path, **spin, **count}


def _follow(
    process: subprocess.Popen[bytes], lines: Iterator[bytes], job: str, say: Callable[[str], None]
) -> Ended:
    if process.stdin is None:
        raise RuntimeError("the process was started without standard input")
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(job.encode() + b"\n")
        process.stdin.flush()
    phase, last = "start", Ended("failed")
    for line in lines:
        message: dict[str, str] = json.loads(line)
        if "phase" in message:
            phase = message["phase"]
            say(phase)
        elif "done" in message:
            last = Ended("done")
        elif "absent" in message:
            last = Ended("absent", message["absent"])
        else:
            last = Ended("failed", f"{PHASES.get(phase, phase)}: {message['failed']}")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LEAVING_SECONDS)
    if last.status == "done" or last.reason:
        return last
    return Ended("failed", _death(process.poll(), phase))


def _lines(
    process: subprocess.Popen[bytes], reader: int, stop: threading.Event | None
) -> Iterator[bytes]:
    """Lines until the process has ended; a process that outlives it may hold the pipe open.

    Raises Stopped once ``stop`` is set.
    """
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while True:
            if stop is not None and stop.is_set():
                raise Stopped
            ended = process.poll() is not None
            if selector.select(0 if ended else POLL_SECONDS):
                received = os.read(reader, 65536)
                if not received:
                    return
                *lines, rest = (rest + received).split(b"\n")
                yield from lines
            elif ended:
                return


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, then end it and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _death(status: int | None, phase: str) -> str:
    when = PHASES.get(phase, phase)
    if status is None:
        return f"{when}: its process gave no reason and did not end, so it was ended"
    if status >= 0:
        return f"{when}: its process ended with status {status} and gave no reason"
    name = signal.Signals(-status).name
    hint = ", often for want of memory" if name == "SIGKILL" else ""
    return f"{when}: its process was killed by {name}{hint}"
