"""What became of each point of the sweep: queries a second of both sides on one machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.cells import Measure
from bench.comparing.sides import Side
from bench.speed.cells import NOTHING, Scenario, SpeedCell
from bench.speed.groups import AGAIN
from bench.speed.pooling import ratio
from bench.speed.ratios import parts, repeat

SpeedVerdict = Literal[
    "slower", "faster", "not told apart", "not comparable", "lost", "failed in B", "new"
]
# What must be alike besides the point itself, in the words of a reason.
CONDITIONS = {
    "host": "the machines",
    "load": "the load's settings",
    "threads": "the numbers of threads",
    "dim": "the vectors' dimensions",
    "k": "the numbers of items asked for",
}

# row, scenario, candidates, device, kind of numbers
Point = tuple[str, Scenario, int, str, str]
# device, scenario, kind of numbers
Part = tuple[str, str, str]


@dataclass(frozen=True)
class SpeedCompared:
    """One row in one scenario, at one size, on one device.

    before  queries a second of A, None where it has none; ``after`` of B
    times   B over A, with its 95 % interval
    least   the smallest relative difference that may be claimed, from the rows that either side
            measured twice: 0.05 stands for 5 %; None where no row was
    reason  why there is no ratio, a sentence
    """

    row: str
    scenario: Scenario
    candidates: int
    device: str
    numbers: str
    verdict: SpeedVerdict
    before: Measure | None = None
    after: Measure | None = None
    times: Measure | None = None
    least: float | None = None
    reason: str = ""


def compare_speed(before: Side, after: Side) -> tuple[SpeedCompared, ...]:
    """Every point that either side has, by device, scenario, size and row.

    A point that is missing from B is "lost" only where B would hold all that was measured.
    """
    first, second = _points(before.sweeps), _points(after.sweeps)
    repeated = [_claimable(side) for side in (before, after)]
    least = {
        part: max(side.get(part, 0.0) for side in repeated)
        for part in repeated[0].keys() | repeated[1].keys()
    }
    told = []
    for point in sorted(first.keys() | second.keys(), key=_order):
        old, new = first.get(point), second.get(point)
        if new is None and not after.whole:
            continue
        told.append(_compared(point, old, new, before, after, least))
    return tuple(told)


def _order(point: Point) -> tuple[str, str, str, int, str]:
    row, scenario, candidates, device, numbers = point
    return (device, scenario, numbers, candidates, row)


def _points(cells: Sequence[SpeedCell]) -> dict[Point, SpeedCell]:
    """The newest result of each point; rows that only serve the measurement are left out."""
    found: dict[Point, SpeedCell] = {}
    for cell in sorted(cells, key=lambda cell: cell.created):
        spec = cell.spec
        if spec.row != NOTHING and not spec.row.endswith(AGAIN):
            found[spec.row, spec.scenario, spec.candidates, spec.device, spec.numbers] = cell
    return found


def _claimable(side: Side) -> dict[Part, float]:
    """What rows measured twice showed against themselves."""
    found: dict[Part, float] = {}
    for part in parts(side.sweeps):
        again = repeat(part, side.speed_store.runs)
        if again is not None:
            spec = part[0].spec
            found[spec.device, spec.scenario, spec.numbers] = again.claimable
    return found


def _compared(
    point: Point,
    old: SpeedCell | None,
    new: SpeedCell | None,
    before: Side,
    after: Side,
    least: dict[Part, float],
) -> SpeedCompared:
    row, scenario, candidates, device, numbers = point
    rates = (old.throughput if old else None, new.throughput if new else None)

    def told(verdict: SpeedVerdict, reason: str = "") -> SpeedCompared:
        return SpeedCompared(
            row, scenario, candidates, device, numbers, verdict, *rates, reason=reason
        )

    if new is None:
        return told("lost", "B has no such result.")
    if old is None:
        return told("new", "A has no such result.")
    if old.throughput is None:
        return told("new" if new.throughput else "not comparable", f"It failed in A: {old.reason}")
    if new.throughput is None:
        return told("failed in B", new.reason)
    differ = [words for name, words in CONDITIONS.items() if _differ(name, old, new)]
    if differ:
        return told("not comparable", f"Not measured alike: {', '.join(differ)} differ.")
    runs = [
        list(side.speed_store.runs(cell.spec.key).values())
        for side, cell in ((after, new), (before, old))
    ]
    if not all(runs):
        return told("not comparable", "The single processes can no longer be read.")
    times = ratio(*runs)
    claimable = least.get((device, scenario, numbers))
    beyond = max(times.value, 1 / times.value) - 1 > (claimable or 0.0)
    if times.low <= 1 <= times.high or not beyond:
        verdict: SpeedVerdict = "not told apart"
    else:
        verdict = "slower" if times.value < 1 else "faster"
    return SpeedCompared(
        row, scenario, candidates, device, numbers, verdict, *rates, times, claimable
    )


def _differ(name: str, old: SpeedCell, new: SpeedCell) -> bool:
    return bool(getattr(old.spec, name) != getattr(new.spec, name))
