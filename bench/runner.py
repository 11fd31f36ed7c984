"""Runs a plan: reuses what is stored, computes the rest, and lets no failure end the run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Literal

from bench.cells import Cell
from bench.checkout import CHECKOUT
from bench.isolation import run_isolated
from bench.job import Job, Provenance
from bench.machine import machine, revision, versions
from bench.plan import Planned
from bench.side_by_side import side_by_side
from bench.sources import DatasetSource
from bench.store import ResultStore, Skipped
from bench.time_left import TimeLeft, in_words
from bench.underway import Underway
from retrievers.base import RetrieverSpec, Settings

OutcomeStatus = Literal["done", "reused", "failed", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """What became of one planned cell; ``seconds`` is 0 where nothing was run."""

    planned: Planned
    status: OutcomeStatus
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class RunOptions:
    """How cells are run, none of which decides a result.

    threads  of each numerical library, None where they decide for themselves
    quiet    whether the output of the retrievers is hidden
    at_once  datasets under way at a time; their cells then share the machine
    """

    results: Path
    threads: int | None = None
    quiet: bool = False
    at_once: int = 1


def run(
    planned: Sequence[Planned], options: RunOptions, say: Callable[[str], None]
) -> list[Outcome]:
    """Run every cell of the plan, each in a process of its own, those of one dataset in turn.

    Every finished cell is stored at once, so that a run that is stopped continues where it was.
    Raises KeyboardInterrupt after the running cells were ended.
    """
    store = ResultStore(options.results)
    lanes: dict[DatasetSource, list[tuple[int, Planned]]] = {}
    # What is skipped is told once, at the end and grouped: it can be most of the plan.
    announced = sum(cell.action != "skip" for cell in planned)
    number = 0
    for cell in planned:
        number += cell.action != "skip"
        lanes.setdefault(cell.source, []).append((number, cell))

    left = _time_left(planned, options, store)

    def time_left() -> str:
        return in_words(left.seconds())

    with Underway(shown=options.at_once > 1 and not options.quiet, left=time_left) as underway:

        def computed(cell: Planned, place: str, stop: Event) -> Outcome:
            left.began(cell.source)
            say(f"{place} {cell.title}: {_announcement(cell)}; {time_left()}")
            with underway.cell(cell.title) as phase:
                outcome = _outcome(cell, options, store, stop, phase)
            left.ended(cell.source, done=outcome.status == "done")
            say(f"{place} {_ending(outcome, store)}")
            return outcome

        def work(numbered: tuple[int, Planned], stop: Event) -> Outcome:
            number, cell = numbered
            place = f"[{number}/{announced}]"
            if cell.action == "run":
                return computed(cell, place, stop)
            if cell.action != "skip":
                say(f"{place} {cell.title}: {_announcement(cell)}")
            return _outcome(cell, options, store, stop, lambda phase: None)

        by_lane = side_by_side(list(lanes.values()), work, options.at_once)
    outcomes = [outcome for lane in by_lane for outcome in lane]
    store.write_skipped(skipped(outcomes))
    return outcomes


def _time_left(
    planned: Sequence[Planned], options: RunOptions, store: ResultStore
) -> TimeLeft[DatasetSource]:
    """Cells of one retriever take alike; its tiny form with random weights is another."""
    lanes: dict[DatasetSource, list[Hashable]] = {}
    for cell in planned:
        if cell.action == "run" and cell.spec is not None:
            lanes.setdefault(cell.source, []).append(_kind(cell.spec.retriever))
    earlier: dict[Hashable, list[float]] = {}
    for stored in store.cells() if lanes else ():
        if stored.status == "done":
            spent = sum(stored.seconds.values())
            earlier.setdefault(_kind(stored.spec.retriever), []).append(spent)
    return TimeLeft(lanes, earlier, options.at_once)


def _kind(retriever: RetrieverSpec) -> Hashable:
    return retriever.name, retriever.weights


def skipped(outcomes: Sequence[Outcome]) -> list[Skipped]:
    """What was left without a stored cell, and why."""
    return [
        replace(left_out_of(outcome.planned), reason=outcome.reason)
        for outcome in outcomes
        if outcome.status == "skipped" or outcome.planned.action == "fail"
    ]


def left_out_of(cell: Planned) -> Skipped:
    """A cell that is not going to be stored, with the reason that the plan gives."""
    return Skipped(cell.dataset, cell.retriever, cell.reason, cell.protocol)


def _announcement(cell: Planned) -> str:
    if cell.action == "run":
        return f"runs again ({cell.reason})" if cell.reason else "runs"
    if cell.action == "reuse":
        return "stored already, reused"
    return f"failed: {cell.reason}"


def _ending(outcome: Outcome, store: ResultStore) -> str:
    spec = outcome.planned.spec
    cell = store.get(spec.key) if spec else None
    if outcome.status != "done" or cell is None:
        return f"{outcome.status} after {outcome.seconds:.0f} s: {outcome.reason}"
    shown = ", ".join(f"{name} {100 * each.value:.1f}" for name, each in cell.metrics.items())
    return f"done in {outcome.seconds:.0f} s: {shown}"


def _outcome(
    cell: Planned,
    options: RunOptions,
    store: ResultStore,
    stop: Event,
    phase: Callable[[str], None],
) -> Outcome:
    if cell.action == "reuse":
        return Outcome(cell, "reused")
    if cell.action == "skip":
        return Outcome(cell, "skipped", cell.reason)
    if cell.spec is None or cell.settings is None:
        return Outcome(cell, "failed", cell.reason)
    started = time.perf_counter()
    job = job_of(cell, options)
    # The bars of several processes would overwrite each other.
    quiet = options.quiet or options.at_once > 1
    ended = run_isolated(job, threads=options.threads, quiet=quiet, stop=stop, say=phase)
    seconds = time.perf_counter() - started
    if ended.status == "absent":
        return Outcome(cell, "skipped", ended.reason, seconds)
    if ended.status == "failed":
        store.write(_failed_cell(job, ended.reason))
        return Outcome(cell, "failed", ended.reason, seconds)
    return Outcome(cell, "done", seconds=seconds)


def job_of(cell: Planned, options: RunOptions) -> Job:
    """What the process of a cell is told. Raises ValueError for one that is not going to run."""
    if cell.spec is None or cell.settings is None:
        raise ValueError(f"{cell.title} is not going to run")
    return Job(
        spec=cell.spec,
        retriever=cell.retriever,
        source=cell.source,
        settings=cell.settings,
        results=options.results,
        provenance=provenance(cell, options),
    )


def _failed_cell(job: Job, reason: str) -> Cell:
    return Cell(
        spec=job.spec,
        status="failed",
        created=datetime.now(UTC).isoformat(),
        reason=reason,
        **asdict(job.provenance),
    )


def provenance(cell: Planned, options: RunOptions) -> Provenance:
    """What is recorded with a cell that is about to run. Raises ValueError for a skipped one."""
    if cell.settings is None:
        raise ValueError(f"{cell.title} is not going to run")
    return Provenance(
        command=command(cell, options),
        machine=machine(
            device=cell.settings.device, threads=options.threads, at_once=options.at_once
        ),
        versions=versions(),
        revision=revision(CHECKOUT),
    )


def words_of(settings: Settings) -> list[str]:
    """The options of a command line that say how a retriever is built."""
    roles = ",".join(f"{role}={value}" for role, value in settings.checkpoint.items())
    return [
        *(["--checkpoint", roles] if roles else []),
        *("--seeds", str(settings.seed), "--device", settings.device),
        *(["--precision", settings.precision] if settings.precision != "fp32" else []),
    ]


def command(cell: Planned, options: RunOptions) -> str:
    """The line that computes this cell alone, from the root of the checkout."""
    source, settings = cell.source, cell.settings
    words = ["python", "-m", "bench.accuracy", *source.words()]
    words += ["--gallery", str(source.gallery)] if source.gallery is not None else []
    words += ["--distractors", str(source.distractors)] if source.distractors else []
    words += ["--retriever", cell.retriever]
    if settings is not None:
        words += words_of(settings)
        words += ["--depth", str(settings.depth)] if settings.depth != "published" else []
        together = settings.train_processes
        words += ["--train-processes", str(together)] if together > 1 else []
    words += ["--threads", str(options.threads)] if options.threads else []
    words += ["--skip-bad"] if source.skip_bad else []
    words += ["--annotations-only"] if source.annotations_only else []
    return shlex.join(words)
