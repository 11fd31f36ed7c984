"""Cells of the throughput sweep arranged for a reader: a device, its scenarios, a line a row."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.cells import Measure
from bench.speed.cells import Scenario, SpeedCell, SpeedSpec
from bench.speed.groups import AGAIN
from bench.speed.ratios import Ratio, Repeat, RunsOf, ratios, repeat
from reports import units
from reports.throughput.indexes import Curve, curves

BOUNDED = "queries/s with p95 within"
SCENARIOS: dict[Scenario, str] = {
    "closed-100": "100 single queries are always waiting: each answer is followed by a new query.",
    "burst-100": "100 single queries arrive together, and the next 100 once all are answered.",
    "open": "Single queries arrive at random (Poisson) at a share of the row's own capacity and "
    "wait for nobody; latency counts from the moment at which a query was due. The rate was "
    "offered, not reached, so it says nothing about which row is faster.",
    "batch-100": "One call with 100 queries at once: a batch, which is not concurrent use.",
}


@dataclass(frozen=True)
class Line:
    """One row of one sweep.

    label       the row's name; with its numbers, threads, ... where the sweep has the name twice
    cells       candidates -> the newest cell
    superseded  older cells of the same row and sizes
    slower      how many times as fast another row is, at the sweep's largest size and in the
                same settings; None for that row itself and where there is no result
    """

    anchor: str
    label: str
    cells: Mapping[int, SpeedCell]
    superseded: int = 0
    slower: Ratio | None = None

    @property
    def last(self) -> SpeedCell:
        """The cell of the largest size: what does not change with the size may be read here."""
        return self.cells[max(self.cells)]

    @property
    def again(self) -> bool:
        """Whether it repeats another line, to see how far equal rows come apart."""
        return self.last.spec.row.endswith(AGAIN)

    def rate(self, candidates: int) -> Measure | None:
        """Queries a second at one size; None where there is no finished result."""
        cell = self.cells.get(candidates)
        if cell is None or cell.status != "done" or cell.throughput is None:
            return None
        return cell.throughput if 0 < cell.throughput.value < math.inf else None


@dataclass(frozen=True)
class Sweep:
    """All rows of one device under one scenario, the fastest at the largest size first.

    warnings  reasons why the lines may not be compared with each other
    """

    anchor: str
    device: str
    scenario: Scenario
    sizes: tuple[int, ...]
    lines: tuple[Line, ...]
    repeats: tuple[Repeat, ...]
    warnings: tuple[str, ...]

    @property
    def means(self) -> str:
        return SCENARIOS.get(self.scenario, "")

    @property
    def largest(self) -> int:
        return self.sizes[-1]

    @property
    def paced(self) -> bool:
        """Whether the rates were offered by the load, rather than reached by the row."""
        return self.scenario == "open"

    @property
    def at_largest(self) -> tuple[tuple[Line, SpeedCell], ...]:
        """The lines with a result at the largest size, and that result."""
        measured = (line for line in self.lines if line.rate(self.largest))
        return tuple((line, line.cells[self.largest]) for line in measured)

    @property
    def missing(self) -> tuple[Line, ...]:
        """The lines without a result at the largest size."""
        return tuple(line for line in self.lines if not line.rate(self.largest))

    @property
    def failures(self) -> tuple[tuple[Line, SpeedCell], ...]:
        return tuple(
            (line, cell)
            for line in self.lines
            for cell in line.cells.values()
            if cell.status == "failed"
        )

    @property
    def base(self) -> str:
        """The row that others are compared with; "" where none are."""
        return next((line.slower.row for line in self.lines if line.slower), "")

    @property
    def accelerated(self) -> bool:
        return any("accelerator_peak_bytes" in cell.memory for _, cell in self.at_largest)

    @property
    def bounds(self) -> tuple[str, ...]:
        """The facts that tell the highest rate within a bound of latency."""
        facts = (fact for _, cell in self.at_largest for fact in cell.facts.items())
        found = (name for name, value in facts if isinstance(value, float))
        return tuple(dict.fromkeys(name for name in found if name.startswith(BOUNDED)))

    @property
    def ceiling(self) -> float:
        """Queries a second that the load generator alone reached, the lowest; 0 if not told."""
        cells = (cell for line in self.lines for cell in line.cells.values())
        return min((cell.generator_qps for cell in cells if cell.generator_qps > 0), default=0.0)

    @property
    def cells(self) -> tuple[SpeedCell, ...]:
        return tuple(cell for line in self.lines for cell in line.cells.values())


@dataclass(frozen=True)
class Device:
    """What was measured on one device of one machine.

    label    the device; with a number where several machines have one of that name
    indexes  the curves of the approximate indexes at their largest size
    """

    anchor: str
    label: str
    sweeps: tuple[Sweep, ...]
    indexes: tuple[Curve, ...]


def devices(cells: Iterable[SpeedCell], runs_of: RunsOf) -> tuple[Device, ...]:
    """By device, then machine; of each the scenarios in the order of SCENARIOS."""
    groups: dict[tuple[str, str], list[SpeedCell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.created, cell.spec.key)):
        groups.setdefault((cell.spec.device, cell.spec.host), []).append(cell)
    times = Counter(device for device, _ in groups)
    found = []
    for number, (device, host) in enumerate(sorted(groups), start=1):
        anchor = f"throughput-{number}"
        label = device if times[device] == 1 else f"{device}, machine {host[:8]}"
        sweeps = _sweeps(anchor, label, groups[device, host], runs_of)
        told = (
            (line.label, cell)
            for sweep in sweeps
            for line in sweep.lines
            for cell in line.cells.values()
            if not line.again
        )
        found.append(Device(anchor, label, sweeps, curves(told)))
    return tuple(found)


def _sweeps(
    anchor: str, label: str, cells: Sequence[SpeedCell], runs_of: RunsOf
) -> tuple[Sweep, ...]:
    order = list(SCENARIOS)
    groups: dict[Scenario, list[SpeedCell]] = {}
    for cell in cells:
        groups.setdefault(cell.spec.scenario, []).append(cell)
    ordered = sorted(groups, key=lambda name: order.index(name) if name in order else len(order))
    return tuple(
        _sweep(f"{anchor}-{number}", label, scenario, groups[scenario], runs_of)
        for number, scenario in enumerate(ordered, start=1)
    )


def _sweep(
    anchor: str, device: str, scenario: Scenario, cells: Sequence[SpeedCell], runs_of: RunsOf
) -> Sweep:
    lines = _lines(cells)
    sizes = sorted({size for line in lines for size in line.cells})
    repeats: tuple[Repeat, ...] = ()
    if scenario != "open":
        lines, repeats = _compared(lines, sizes[-1], runs_of)
    lines.sort(key=lambda line: _merit(line, sizes))
    return Sweep(
        anchor=anchor,
        device=device,
        scenario=scenario,
        sizes=tuple(sizes),
        lines=tuple(
            replace(line, anchor=f"{anchor}-{number}") for number, line in enumerate(lines, start=1)
        ),
        repeats=repeats,
        warnings=_warnings(lines),
    )


def _lines(cells: Sequence[SpeedCell]) -> list[Line]:
    """The newest cell of each row and size; ``cells`` are oldest first."""
    newest: dict[tuple[str | int, ...], dict[int, SpeedCell]] = {}
    older: Counter[tuple[str | int, ...]] = Counter()
    for cell in cells:
        by_size = newest.setdefault(_line_of(cell.spec), {})
        older[_line_of(cell.spec)] += cell.spec.candidates in by_size
        by_size[cell.spec.candidates] = cell
    labels = _labels([by_size[max(by_size)].spec for by_size in newest.values()])
    return [
        Line("", label, dict(sorted(by_size.items())), older[name])
        for label, (name, by_size) in zip(labels, newest.items(), strict=True)
    ]


def _line_of(spec: SpeedSpec) -> tuple[str | int, ...]:
    return (spec.row, spec.numbers, spec.threads, spec.k)


def _labels(specs: Sequence[SpeedSpec]) -> list[str]:
    """Names; where a name occurs twice, with what of a line's settings differs among its lines."""
    told: dict[str, Callable[[SpeedSpec], str]] = {
        "numbers": lambda spec: spec.numbers,
        "threads": lambda spec: f"{spec.threads} {'thread' if spec.threads == 1 else 'threads'}",
        "k": lambda spec: f"k {spec.k}",
    }
    labels = []
    for spec in specs:
        alike = [other for other in specs if other.row == spec.row]
        differing = [say(spec) for say in told.values() if len({say(each) for each in alike}) > 1]
        labels.append(f"{spec.row} ({', '.join(differing)})" if differing else spec.row)
    return labels


def _merit(line: Line, sizes: Sequence[int]) -> tuple[int, float, str]:
    """The fastest at the largest size first, then those that end at smaller ones, then failures."""
    for rank, size in enumerate(reversed(sizes)):
        measure = line.rate(size)
        if measure:
            return rank, -measure.value, line.label
    return len(sizes), 0.0, line.label


def _compared(
    lines: Sequence[Line], size: int, runs_of: RunsOf
) -> tuple[list[Line], tuple[Repeat, ...]]:
    """The lines with their ratios, each to the others of the same settings; the rows repeated."""
    alike: dict[tuple[str | int, ...], list[SpeedCell]] = {}
    for line in lines:
        if line.rate(size):
            alike.setdefault(_line_of(line.last.spec)[1:], []).append(line.cells[size])
    slower: dict[tuple[str | int, ...], Ratio] = {}
    repeats = []
    for settings, cells in alike.items():
        again = repeat(cells, runs_of)
        if again:
            repeats.append(again)
        for found in ratios(cells, again.claimable if again else 0.0, runs_of):
            slower[(found.other, *settings)] = found
    compared = [replace(line, slower=slower.get(_line_of(line.last.spec))) for line in lines]
    return compared, tuple(repeats)


def _warnings(lines: Sequence[Line]) -> tuple[str, ...]:
    """Empty where each line is of one version of its source, and all were under one load."""
    done = [[cell for cell in line.cells.values() if cell.status == "done"] for line in lines]
    mixed = [
        line.label
        for line, cells in zip(lines, done, strict=True)
        if len({cell.spec.code for cell in cells}) > 1
    ]
    loads = {json.dumps(dict(cell.spec.load), sort_keys=True) for cells in done for cell in cells}
    found = []
    if mixed:
        found.append(
            f"{units.visible(', '.join(mixed))}: measured with different versions of the source "
            "from size to size (see the provenance). Run the sweep again before reading the line."
        )
    if len(loads) > 1:
        found.append(
            "These figures were measured under different settings of the load (see the "
            "provenance), so they may not be compared."
        )
    return tuple(found)
