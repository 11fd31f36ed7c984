"""What a sweep would measure, what is stored already, and what each of it is estimated to need."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.code_digest import code_digest
from bench.machine import machine
from bench.speed.budget import within_budget
from bench.speed.capacity import free_device_bytes, free_host_bytes
from bench.speed.cells import Scalar, Scenario, SpeedSpec
from bench.speed.durations import Duration, duration
from bench.speed.estimate import Estimated, Question, estimates
from bench.speed.groups import AGAIN, Action, Group, Plan, PlannedCell
from bench.speed.job import LoadSettings
from bench.speed.ratios import BASE
from bench.speed.request import Asked, Sweep
from bench.speed.store import SpeedStore
from retrievers.serving.contract import Numbers, Place

# Modules of this folder that plan, keep or show what the others measure.
SHOWING = (
    "budget",
    "capacity",
    "cell_json",
    "durations",
    "estimate",
    "groups",
    "plan",
    "progress",
    "ratios",
    "request",
    "rows_json",
    "runner",
    "store",
    "terminal",
    "wording",
)


def deciding() -> tuple[str, ...]:
    """Whatever of this checkout decides a result of the sweep."""
    ours = sorted(Path(__file__).parent.glob("*.py"))
    return (
        "cart",
        "datasets/candidates",
        "retrievers",
        "bench/children.py",
        "bench/machine.py",
        "bench/ranking_check.py",
        *(f"bench/speed/{path.name}" for path in ours if path.stem not in SHOWING),
    )


def make_plan(sweep: Sweep, store: SpeedStore, say: Callable[[str], None]) -> Plan:
    """Ask every row what it needs, fit the whole into the budget, and look what is stored."""
    say("Asking the rows what they need.")
    wanted = [
        (asked, numbers, size)
        for size in sweep.sizes
        for asked in sweep.rows
        for numbers in sweep.numbers
    ]
    answers = estimates([_question(sweep, *each) for each in wanted])
    groups = [_group(sweep, *each) for each in zip(wanted, answers, strict=True)]
    room = free_host_bytes(), free_device_bytes(sweep.device) if sweep.device != "cpu" else None
    again = _again([group for group in groups if _fitting(group, *room).action == "run"])
    fitted = within_budget(groups, _limit(sweep, again), spare=sweep.spare)
    host, codes = host_digest(sweep), _codes(sweep)
    described = [
        _described(sweep, group, host, codes[group.asked], store)
        for group in [*fitted.groups, *([again] if again else [])]
    ]
    fitting = [_fitting(group, *room) for group in described]
    return Plan(sweep, tuple(sorted(fitting, key=lambda group: group.candidates)), fitted.thinned)


def _limit(sweep: Sweep, again: Group | None) -> float:
    """Seconds that are left for the groups themselves."""
    if not sweep.budget:
        return math.inf
    return sweep.budget - (again.seconds if again else 0)


def host_digest(sweep: Sweep) -> str:
    """32 hexadecimal digits of what of this machine decides speed."""
    told = machine(device=sweep.device, threads=sweep.threads)
    deciding = {name: told[name] for name in ("processor", "cores", "memory", "accelerator")}
    return hashlib.blake2b(json.dumps(deciding).encode(), digest_size=16).hexdigest()


def spec_of(sweep: Sweep, group: Group, scenario: Scenario, host: str, code: str) -> SpeedSpec:
    row = group.row
    return SpeedSpec(
        row=row.name,
        options={"target": row.target, "system": row.system, "form": row.form},
        scenario=scenario,
        load=_load_of(sweep.load, scenario),
        candidates=group.candidates,
        dim=row.dim,
        k=sweep.k,
        device=sweep.device,
        numbers=group.numbers,
        threads=sweep.threads,
        repeats=group.repeats,
        seconds=sweep.seconds,
        seed=sweep.seed,
        host=host,
        code=code,
    )


def _load_of(load: LoadSettings, scenario: Scenario) -> Mapping[str, Scalar]:
    """The settings that the scenario goes by."""
    told = asdict(load)
    batching = () if scenario == "batch-100" else ("largest_batch", "wait_ms")
    rate = ("rate_share", "latency_ms") if scenario == "open" else ()
    return {name: told[name] for name in ("outstanding", "texts", "sample", *batching, *rate)}


def _question(sweep: Sweep, asked: Asked, numbers: Numbers, size: int) -> Question:
    place = Place(sweep.device, numbers, sweep.threads, sweep.cache)
    return Question(asked.name, place, size)


def _group(sweep: Sweep, wanted: tuple[Asked, Numbers, int], told: Estimated) -> Group:
    asked, numbers, size = wanted
    group = Group(asked.name, asked.row, numbers, size, sweep.repeats, "run")
    if told.needs is None:
        action: Action = "fail" if told.broken else "skip"
        return replace(group, action=action, reason=told.broken or told.cannot)
    estimated = duration(told.needs, sweep.scenarios, sweep.seconds)
    return replace(group, needs=told.needs, duration=estimated)


def _again(groups: Sequence[Group]) -> Group | None:
    """The cheapest row of the largest size, cart where it is there, to be measured once more.

    groups  those that can run, by size; None where there are no two to compare
    """
    if len(groups) < 2:
        return None
    largest = [group for group in groups if group.candidates == groups[-1].candidates]
    chosen = min(largest, key=lambda group: (group.row.name != BASE, group.duration.next))
    # What it searches was built by the row that it repeats.
    duration = Duration(chosen.duration.next, chosen.duration.next)
    row = replace(chosen.row, name=f"{chosen.row.name}{AGAIN}")
    return replace(chosen, row=row, duration=duration)


def _codes(sweep: Sweep) -> dict[str, str]:
    ours = deciding()
    return {asked.name: code_digest(asked.row.target, ours) for asked in sweep.rows}


def _described(sweep: Sweep, group: Group, host: str, code: str, store: SpeedStore) -> Group:
    """With its results' keys, and what is stored of them."""
    if group.action != "run":
        return group
    cells = []
    for scenario in sweep.scenarios:
        spec = spec_of(sweep, group, scenario, host, code)
        stored = store.get(spec.key)
        done = stored is not None and stored.status == "done"
        cells.append(PlannedCell(spec, done, stored.reason if stored and not done else ""))
    action: Action = "reuse" if all(cell.stored for cell in cells) else "run"
    return replace(group, action=action, cells=tuple(cells))


def _fitting(group: Group, host_bytes: int, device_bytes: int | None) -> Group:
    """Left out where it would need more memory than is there."""
    if group.action != "run" or group.needs is None:
        return group
    rooms = [("memory", group.needs.host_bytes, host_bytes)]
    if device_bytes is not None:
        rooms.append(("memory of the accelerator", group.needs.device_bytes, device_bytes))
    for what, needed, there in rooms:
        if needed > there:
            reason = f"It needs {needed / 1e9:.1f} GB of {what}, and {there / 1e9:.1f} GB are free."
            return replace(group, action="skip", reason=reason)
    return group
