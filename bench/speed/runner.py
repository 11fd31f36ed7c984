"""Runs the plan of a sweep: fresh processes in turn, each stored as it ends, failures told."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal

from rich.console import Console

from bench.as_child import failure_sentence
from bench.checkout import CHECKOUT
from bench.job import Provenance
from bench.machine import machine, revision, versions
from bench.speed.cells import ProcessRun, Scenario, SpeedCell, SpeedSpec
from bench.speed.groups import AGAIN, Group, Plan, PlannedCell, left_out_of
from bench.speed.pooling import pooled, throughput
from bench.speed.process import CannotRun, RowFailed, SpeedJob, timed_runs
from bench.speed.progress import SweepProgress
from bench.speed.request import Sweep
from bench.speed.store import LeftOutRow, SpeedStore
from bench.speed.wording import figure
from bench.time_left import in_words

OutcomeStatus = Literal["done", "reused", "failed"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one result of the plan."""

    spec: SpeedSpec
    status: OutcomeStatus
    reason: str = ""


@dataclass
class _Record:
    """What has become of a group's results so far, by scenario."""

    failed: dict[Scenario, str] = field(default_factory=dict)
    cannot: str = ""


def run(
    plan: Plan, store: SpeedStore, say: Say, *, console: Console, shown: bool
) -> tuple[list[Outcome], list[LeftOutRow]]:
    """Measure what is not stored; what became of each result, and what was left out.

    Each process is stored as it ends, so that a sweep that is stopped continues where it was.
    console  takes the progress bar, where it is ``shown``

    Raises Busy where another sweep is at it, and KeyboardInterrupt after what was under way has
    been ended.
    """
    records = {group.title: _Record() for group in plan.running}
    turns = list(_turns(plan))
    with (
        store.measuring(),
        SweepProgress(len(turns), plan.seconds, console=console, shown=shown) as progress,
    ):
        sweep_provenance = _Provenance(plan.sweep)
        for place, (group, number) in enumerate(turns, start=1):
            record = records[group.title]
            seconds = group.duration.next if number else group.duration.first
            waiting = _waiting(group, number, record, store)
            if waiting:
                with progress.process(group.title, seconds) as tell:
                    started = time.monotonic()
                    job = _job(plan.sweep, group, tuple(cell.spec.scenario for cell in waiting))
                    said = _measure(job, waiting, number, record, store, tell)
                    took = time.monotonic() - started
                rest = f"; {in_words(progress.left())}" if place < len(turns) else ""
                say(f"[{place}/{len(turns)}] {group.title}: {said} ({took:.0f} s){rest}")
            else:
                progress.passed(seconds)
            if number == group.repeats - 1 or record.cannot or record.failed:
                _finish(group, record, store, sweep_provenance)
        left_out = [*plan.left_out(), *_cannot(plan, records)]
        store.write_left_out(left_out)
    return _outcomes(plan, records), left_out


def _turns(plan: Plan) -> Iterator[tuple[Group, int]]:
    """(group, number of its process) in the order in which they run: A B C C B A at each size.

    What drifts while the sweep runs, as a processor that gets warm, then meets all alike.
    """
    for size in plan.sweep.sizes:
        groups = [group for group in plan.running if group.candidates == size]
        for number in range(max((group.repeats for group in groups), default=0)):
            here = [group for group in groups if number < group.repeats]
            yield from ((group, number) for group in (here if number % 2 == 0 else here[::-1]))


def _waiting(group: Group, number: int, record: _Record, store: SpeedStore) -> list[PlannedCell]:
    """The results that still lack a run of this number."""
    if record.cannot:
        return []
    return [
        cell
        for cell in group.cells
        if not cell.stored
        and cell.spec.scenario not in record.failed
        and number not in store.runs(cell.spec.key)
    ]


def _job(sweep: Sweep, group: Group, scenarios: tuple[Scenario, ...]) -> SpeedJob:
    return SpeedJob(
        row=group.asked,
        device=sweep.device,
        numbers=group.numbers,
        threads=sweep.threads,
        cache=sweep.cache,
        candidates=group.candidates,
        dim=group.row.dim,
        k=sweep.k,
        seed=sweep.seed,
        scenarios=scenarios,
        seconds=sweep.seconds,
        load=sweep.load,
    )


def _measure(
    job: SpeedJob,
    cells: Sequence[PlannedCell],
    number: int,
    record: _Record,
    store: SpeedStore,
    tell: Callable[[str, int, int], None],
) -> str:
    """Run one fresh process and store what it measured; what is to be said of it.

    What fails in one scenario fails in those that would have come after it.
    """
    specs = {cell.spec.scenario: cell.spec for cell in cells}
    said = []
    try:
        with closing(timed_runs(job, tell)) as runs:
            for scenario, measured in runs:
                store.write_run(specs[scenario], number, measured)
                said.append(_in_short(scenario, measured))
                del specs[scenario]
        if specs:
            raise RowFailed(f"nothing was measured in {', '.join(specs)}")
    except CannotRun as problem:
        record.cannot = str(problem)
        said.append(f"left out: {problem}")
    except Exception as problem:
        reason = failure_sentence(problem, (RowFailed,))
        record.failed.update(dict.fromkeys(specs, reason))
        said.append(f"failed: {reason}")
    return "; ".join(said)


def _in_short(scenario: Scenario, measured: ProcessRun) -> str:
    unstable = "" if measured.steady else ", unstable"
    return f"{scenario} {figure(throughput([measured]).value)} queries/s{unstable}"


def _finish(group: Group, record: _Record, store: SpeedStore, provenance: _Provenance) -> None:
    """Store the results of which every process has been seen, and those that failed."""
    for cell in group.cells:
        reason = record.failed.get(cell.spec.scenario, "")
        if cell.stored or (record.cannot and not reason):
            continue
        runs = store.runs(cell.spec.key)
        if not reason and not set(range(group.repeats)) <= set(runs):
            continue
        told = asdict(provenance.of(group))
        done = SpeedCell(
            spec=cell.spec,
            status="failed" if reason else "done",
            created=datetime.now(UTC).isoformat(),
            reason=reason,
            paradigm=group.row.paradigm,
            form=group.row.form,
            weights=group.row.weights,
            notes=_notes(group),
            **({} if reason else pooled([runs[number] for number in range(group.repeats)])),
            **told,
        )
        store.write(done)


def _notes(group: Group) -> tuple[str, ...]:
    name = group.row.name
    if not name.endswith(AGAIN):
        return ()
    return (f"{name.removesuffix(AGAIN)} once more, as if it were another row.",)


class _Provenance:
    """What is recorded with the results of a sweep; all but the command is one for all."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._machine: Mapping[str, str] = machine(device=sweep.device, threads=sweep.threads)
        self._versions: Mapping[str, str] = versions()
        self._revision = revision(CHECKOUT)

    def of(self, group: Group) -> Provenance:
        return Provenance(
            command=command(self._sweep, group),
            machine=self._machine,
            versions=self._versions,
            revision=self._revision,
        )


def command(sweep: Sweep, group: Group) -> str:
    """The line that measures this group alone, from the root of the checkout."""
    words = ["python", "-m", "bench.throughput", "--device", sweep.device]
    words += ["--candidates", str(group.candidates), "--retriever", group.asked]
    words += ["--scenario", ",".join(sweep.scenarios), "--dtype", group.numbers]
    words += ["--threads", str(sweep.threads), "--repeat", str(group.repeats)]
    words += ["--seconds", f"{sweep.seconds:g}", "--k", str(sweep.k), "--budget", "0"]
    words += ["--latency-ms", f"{sweep.load.latency_ms:g}"] if sweep.load.latency_ms else []
    return shlex.join(words)


def _cannot(plan: Plan, records: Mapping[str, _Record]) -> list[LeftOutRow]:
    return [
        left_out_of(group, plan.sweep.device, records[group.title].cannot)
        for group in plan.running
        if records[group.title].cannot and not group.row.name.endswith(AGAIN)
    ]


def _outcomes(plan: Plan, records: Mapping[str, _Record]) -> list[Outcome]:
    found = []
    for group in plan.groups:
        record = records.get(group.title, _Record())
        for cell in group.cells:
            reason = record.failed.get(cell.spec.scenario, "")
            if cell.stored:
                found.append(Outcome(cell.spec, "reused"))
            elif reason:
                found.append(Outcome(cell.spec, "failed", reason))
            elif group.action == "run" and not record.cannot:
                found.append(Outcome(cell.spec, "done"))
    return found
