"""How many times as fast one row of a sweep is as the others, and what may be claimed of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.cells import Measure
from bench.speed.cells import NOTHING, ProcessRun, Scenario, SpeedCell
from bench.speed.groups import AGAIN
from bench.speed.pooling import claimable, ratio

BASE = "cart"

# key -> number -> run
RunsOf = Callable[[str], Mapping[int, ProcessRun]]


@dataclass(frozen=True)
class Repeat:
    """A row that was measured twice, as if it were two.

    times      the second time's throughput over the first's
    claimable  the smallest relative difference that may be claimed: 0.05 stands for 5 %
    """

    row: str
    candidates: int
    times: Measure
    claimable: float


@dataclass(frozen=True)
class Ratio:
    """``row`` answers ``times`` as many queries a second as ``other``.

    told_apart  whether that is more than its interval and the repeated row allow
    """

    row: str
    other: str
    times: Measure
    told_apart: bool


@dataclass(frozen=True)
class Comparison:
    """The rows of one device, scenario and kind of numbers, compared at their largest size.

    repeat  None where no row was measured twice
    """

    device: str
    scenario: Scenario
    numbers: str
    candidates: int
    repeat: Repeat | None
    ratios: tuple[Ratio, ...]


def parts(cells: Sequence[SpeedCell]) -> list[list[SpeedCell]]:
    """The results by device, scenario and kind of numbers."""
    found: dict[tuple[str, str, str], list[SpeedCell]] = {}
    for cell in cells:
        spec = cell.spec
        found.setdefault((spec.device, spec.scenario, spec.numbers), []).append(cell)
    return list(found.values())


def comparison(part: Sequence[SpeedCell], runs_of: RunsOf) -> Comparison:
    """Of the results of one device, scenario and kind of numbers.

    Raises ValueError without a result.
    """
    spec, largest = part[0].spec, max(cell.spec.candidates for cell in part)
    again = repeat(part, runs_of)
    told = ratios(
        [cell for cell in part if cell.spec.candidates == largest],
        again.claimable if again else 0.0,
        runs_of,
    )
    return Comparison(spec.device, spec.scenario, spec.numbers, largest, again, tuple(told))


def repeat(cells: Sequence[SpeedCell], runs_of: RunsOf) -> Repeat | None:
    """What a row showed against itself, of results in one scenario and one kind of numbers."""
    done = {(cell.spec.row, cell.spec.candidates): cell for cell in _measured(cells, runs_of)}
    for (name, candidates), cell in done.items():
        first = done.get((name.removesuffix(AGAIN), candidates))
        if name.endswith(AGAIN) and first is not None:
            times = _times(cell, first, runs_of)
            return Repeat(first.spec.row, candidates, times, claimable(times))
    return None


def ratios(cells: Sequence[SpeedCell], least: float, runs_of: RunsOf) -> list[Ratio]:
    """Each other row against cart, or where that is not there each against the first; the row
    that answers without work is compared with none.

    cells  of one scenario, size and kind of numbers
    least  the smallest difference that may be claimed
    """
    done = [
        cell
        for cell in _measured(cells, runs_of)
        if cell.spec.row != NOTHING and not cell.spec.row.endswith(AGAIN)
    ]
    if not done:
        return []
    base = next((cell for cell in done if cell.spec.row == BASE), done[0])
    found = []
    for cell in done:
        if cell is not base:
            times = _times(base, cell, runs_of)
            beyond = max(times.value, 1 / times.value) - 1 > least
            apart = beyond and not times.low <= 1 <= times.high
            found.append(Ratio(base.spec.row, cell.spec.row, times, apart))
    return found


def _measured(cells: Sequence[SpeedCell], runs_of: RunsOf) -> list[SpeedCell]:
    """Those whose processes can still be read: one may have been put aside as broken."""
    return [cell for cell in cells if cell.throughput and runs_of(cell.spec.key)]


def _times(cell: SpeedCell, other: SpeedCell, runs_of: RunsOf) -> Measure:
    return ratio(list(runs_of(cell.spec.key).values()), list(runs_of(other.spec.key).values()))
