"""What the command line of the sweep asks for, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bench.devices import resolve_device
from bench.selection import UsageError, split_names
from bench.speed.cells import Scenario
from bench.speed.job import LoadSettings
from bench.speed.lookup import served_row
from datasets.ordered_pool import default_workers
from retrievers.serving.contract import Numbers, ServedRow
from retrievers.serving.rows import ROWS

SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
SEED = 0
MOST = 10**9

_SIZE = re.compile(r"(\d+)(?:e(\d{1,2}))?")


@dataclass(frozen=True)
class Asked:
    """A row and the name that it was asked for by, which finds it again in another process."""

    name: str
    row: ServedRow


@dataclass(frozen=True)
class Sweep:
    """Everything that a sweep is to measure.

    sizes    numbers of candidates, ascending
    repeats  fresh processes of each result
    seconds  that each scenario is timed for, at least
    budget   seconds that the whole is to take by its estimate; 0 where it may take any time
    spare    whether rows may be left out for that, since nobody named them
    """

    rows: tuple[Asked, ...]
    scenarios: tuple[Scenario, ...]
    sizes: tuple[int, ...]
    numbers: tuple[Numbers, ...]
    device: str
    threads: int
    repeats: int
    seconds: float
    k: int
    budget: float
    cache: Path
    load: LoadSettings
    spare: bool
    seed: int = SEED


def checked(
    *,
    retriever: str,
    scenario: str,
    candidates: str,
    dtype: str,
    device: str,
    threads: int | None,
    repeat: int,
    seconds: float,
    k: int,
    budget: float,
    latency_ms: float,
    cache: Path,
) -> Sweep:
    """The options of ``python -m bench.throughput`` as a sweep.

    budget  minutes

    Raises UsageError, UnusableDevice, UnknownRow.
    """
    sizes = parse_sizes(candidates)
    if sizes[0] < k:
        raise UsageError(
            f"--candidates {sizes[0]} with --k {k}: a gallery must hold at least as many as are "
            "asked for."
        )
    return Sweep(
        rows=parse_rows(retriever),
        scenarios=parse_scenarios(scenario),
        sizes=sizes,
        numbers=parse_numbers(dtype),
        device=resolve_device(device),
        threads=threads or default_workers(),
        repeats=repeat,
        seconds=seconds,
        k=k,
        budget=60 * budget,
        cache=cache,
        load=LoadSettings(latency_ms=latency_ms),
        spare=not retriever,
    )


def parse_rows(text: str) -> tuple[Asked, ...]:
    """Rows by name; a system alone stands for its default forms, nothing for those of all.

    Raises UnknownRow.
    """
    names = split_names(text)
    if not names:
        return tuple(Asked(row.name, row) for row in ROWS if row.in_default)
    found = [asked for name in names for asked in _rows_of(name)]
    return tuple({asked.row.name: asked for asked in found}.values())


def _rows_of(name: str) -> Sequence[Asked]:
    forms = [row for row in ROWS if row.name.partition(":")[0] == name]
    if not forms or any(row.name == name for row in forms):
        return [Asked(name, served_row(name))]
    return [Asked(row.name, row) for row in forms if row.in_default] or [
        Asked(row.name, row) for row in forms
    ]


def parse_scenarios(text: str) -> tuple[Scenario, ...]:
    """Raises UsageError unless ``text`` lists names of scenarios, or is "all"."""
    names = split_names(text)
    if names == ["all"]:
        return SCENARIOS
    known = {str(each): each for each in SCENARIOS}
    if not names or not all(name in known for name in names):
        raise UsageError(f"--scenario {text}: give all, or some of {', '.join(known)}.")
    return tuple(each for each in SCENARIOS if each in names)


def parse_sizes(text: str) -> tuple[int, ...]:
    """Numbers of candidates, ascending. Raises UsageError unless ``text`` lists such."""
    numbers = [_SIZE.fullmatch(name.replace("_", "")) for name in split_names(text.lower())]
    sizes = {
        int(number.group(1)) * 10 ** int(number.group(2) or 0) if number else 0
        for number in numbers
    }
    if not sizes or not all(1 <= size <= MOST for size in sizes):
        raise UsageError(
            f"--candidates {text}: give whole numbers from 1 to {MOST:,}, separated by commas, "
            "e.g. 1e3,50000,1e6."
        )
    return tuple(sorted(sizes))


def parse_numbers(text: str) -> tuple[Numbers, ...]:
    """Raises UsageError unless ``text`` lists kinds of numbers to compute in."""
    known = {str(each): each for each in get_args(Numbers)}
    names = split_names(text)
    if not names or not all(name in known for name in names):
        raise UsageError(f"--dtype {text}: give some of {', '.join(known)}.")
    return tuple(known[name] for name in names)
