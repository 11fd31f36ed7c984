"""Runs one job in a fresh process, so that no cell can spoil another or end the run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.children import Child, death, start_child
from bench.job import Job, job_to_json

PHASES = {
    "start": "while starting",
    "load": "while loading",
    "fit": "while fitting",
    "index": "while indexing",
    "search": "while searching",
    "reverse": "while searching texts",
    "diagnose": "while diagnosing",
    "store": "while storing",
    "add": "while adding items",
    "remove": "while taking items out",
    "adapt": "while learning what was added",
    "whole": "while indexing everything anew",
    "map": "while drawing the map",
}


@dataclass(frozen=True)
class Ended:
    """How a job ended: "done", "absent" (weights are missing) or "failed", and why."""

    status: Literal["done", "absent", "failed"]
    reason: str = ""


def run_isolated(
    job: Job,
    *,
    module: str = "bench.cell_process",
    threads: int | None = None,
    quiet: bool = False,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = lambda phase: None,
) -> Ended:
    """Run a job and wait for it. What it starts ends with it, also on KeyboardInterrupt.

    module  the program that does it, which speaks as ``bench.cell_process``
    stop    ends the job when it is set; Stopped is raised then
    say     is told each phase that begins, a key of PHASES
    """
    child = start_child(module, threads=threads, quiet=quiet)
    try:
        return follow(child, job_to_json(job), stop, say)
    finally:
        child.end()


def follow(
    child: Child,
    job: str,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = lambda phase: None,
) -> Ended:
    """Tell a child its job, one line, and listen until it has said how it ended."""
    child.tell(job)
    phase, last = "start", Ended("failed")
    for line in child.lines(stop):
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
    status = child.left()
    if last.status == "done" or last.reason:
        return last
    return Ended("failed", f"{PHASES.get(phase, phase)}: {death(status)}")
