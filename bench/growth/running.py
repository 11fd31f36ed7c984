"""Runs the living corpus: what is stored is reused, the rest computed one process each."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.checkout import CHECKOUT
from bench.children import start_child
from bench.growth.job import LivingJob, living_code, living_job_to_json
from bench.growth.results import Living, LivingSpec, LivingStore
from bench.isolation import Ended, follow
from bench.job import Job, Provenance
from bench.machine import machine, revision, versions
from bench.plan import Planned
from bench.runner import words_of
from bench.time_left import TimeLeft, in_words

# One cell runs at a time: all wait in one line.
ALONE = ""


@dataclass(frozen=True)
class Running:
    """How results are computed, none of which decides one but ``share``.

    share    of the gallery that comes later
    threads  of each numerical library, None where they decide for themselves
    quiet    whether the output of the retrievers is hidden
    """

    results: Path
    share: float
    threads: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Asked:
    """One cell of the plan, and its result's spec; None where it cannot run, for its reason."""

    planned: Planned
    spec: LivingSpec | None
    stored: Living | None

    @property
    def state(self) -> str:
        """What would become of it, for ``--dry-run``."""
        if self.spec is None:
            return f"left out: {self.planned.reason}"
        if self.stored is None:
            return "would run"
        if self.stored.status == "failed":
            return f"would run again (failed before: {self.stored.reason})"
        return "is stored, would be reused"


def asked(planned: Sequence[Planned], share: float, store: LivingStore) -> list[Asked]:
    """The plan of the accuracy benchmark as one of the living corpus."""
    found = []
    for cell in planned:
        if cell.spec is None or cell.settings is None:
            found.append(Asked(cell, None, None))
            continue
        spec = LivingSpec(cell.spec, share, living_code(cell.retriever))
        found.append(Asked(cell, spec, store.get(spec.key)))
    return found


@dataclass(frozen=True)
class Outcome:
    """What became of one cell of the plan.

    reason  why it failed or was left out, a sentence
    result  the finished result, None where there is none
    """

    asked: Asked
    status: Literal["done", "reused", "failed", "left out"]
    reason: str = ""
    result: Living | None = None


def run(cells: Sequence[Asked], running: Running, say: Callable[[str], None]) -> list[Outcome]:
    """Compute what is not stored, each in a process of its own, in turn.

    What was finished is stored at once, so that a run that is stopped continues where it was.
    """
    left = _time_left(cells, running)
    outcomes = []
    for number, cell in enumerate(cells, start=1):
        place = f"[{number}/{len(cells)}] {cell.planned.title}"
        outcome = _known(cell)
        if outcome is None:
            left.began(ALONE)
            say(f"{place}: runs; {in_words(left.seconds())}")
            outcome = _computed(cell, running)
            left.ended(ALONE, done=outcome.status == "done")
        say(f"{place}: {in_short(outcome)}")
        outcomes.append(outcome)
    return outcomes


def in_short(outcome: Outcome) -> str:
    """What became of a cell, with the reason where there is one."""
    if outcome.status == "reused":
        return "stored already, reused"
    return f"{outcome.status}. {outcome.reason}" if outcome.reason else outcome.status


def _known(cell: Asked) -> Outcome | None:
    """What becomes of a cell for which nothing is run; None where it is to be."""
    if cell.spec is None:
        failed = cell.planned.action == "fail"
        return Outcome(cell, "failed" if failed else "left out", cell.planned.reason)
    if cell.stored is not None and cell.stored.status == "done":
        return Outcome(cell, "reused", result=cell.stored)
    return None


def _time_left(cells: Sequence[Asked], running: Running) -> TimeLeft[str]:
    waiting = [
        cell.spec.cell.retriever.name
        for cell in cells
        if cell.spec is not None and _known(cell) is None
    ]
    earlier: dict[Hashable, list[float]] = {}
    for one in LivingStore(running.results).results() if waiting else ():
        if one.growth is not None:
            spent = sum(one.growth.seconds.values())
            earlier.setdefault(one.spec.cell.retriever.name, []).append(spent)
    return TimeLeft({ALONE: waiting}, earlier)


def _computed(cell: Asked, running: Running) -> Outcome:
    assert cell.spec is not None and cell.planned.settings is not None
    planned, store = cell.planned, LivingStore(running.results)
    provenance = Provenance(
        command=command(planned, running),
        machine=machine(device=cell.planned.settings.device, threads=running.threads, at_once=1),
        versions=versions(),
        revision=revision(CHECKOUT),
    )
    job = Job(
        cell.spec.cell,
        planned.retriever,
        planned.source,
        cell.planned.settings,
        running.results,
        provenance,
    )
    ended = _isolated(LivingJob(job, cell.spec), running)
    if ended.status != "done":
        store.write(
            Living(
                cell.spec,
                "failed",
                datetime.now(UTC).isoformat(),
                reason=ended.reason,
                **asdict(provenance),
            )
        )
        return Outcome(cell, "failed", ended.reason)
    return Outcome(cell, "done", result=store.get(cell.spec.key))


def _isolated(told: LivingJob, running: Running) -> Ended:
    child = start_child("bench.growth.process", threads=running.threads, quiet=running.quiet)
    try:
        return follow(child, living_job_to_json(told))
    finally:
        child.end()


def command(cell: Planned, running: Running) -> str:
    """The line that computes this result alone, from the root of the checkout."""
    source, settings = cell.source, cell.settings
    words = ["python", "-m", "bench.living", *source.words()]
    words += ["--retriever", cell.retriever, "--share", f"{running.share:g}"]
    if settings is not None:
        words += words_of(settings)
    words += ["--threads", str(running.threads)] if running.threads else []
    words += ["--skip-bad"] if source.skip_bad else []
    return shlex.join(words)
