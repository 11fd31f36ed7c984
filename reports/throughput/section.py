"""All that the throughput section shows, read from the store of the sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.speed.cells import SpeedCell
from bench.speed.store import LeftOutRow, SpeedStore
from reports.throughput.indexes import TARGET
from reports.throughput.panels import index_plot, plots
from reports.throughput.provenance import FACTS, across_sizes, told
from reports.throughput.sweeps import Device, devices


@dataclass(frozen=True)
class LeftOut:
    """A row that the last sweep left out at some sizes for one reason."""

    row: str
    device: str
    numbers: str
    sizes: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Throughput:
    """Empty where no result of a sweep is stored."""

    devices: tuple[Device, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def cells(self) -> tuple[SpeedCell, ...]:
        """Those that are shown."""
        return tuple(
            cell for device in self.devices for sweep in device.sweeps for cell in sweep.cells
        )

    @property
    def superseded(self) -> int:
        return sum(
            line.superseded
            for device in self.devices
            for sweep in device.sweeps
            for line in sweep.lines
        )

    @property
    def rows(self) -> dict[str, SpeedCell]:
        """Each row's name with one of its cells, without those that were measured again."""
        return {
            line.last.spec.row: line.last
            for device in self.devices
            for sweep in device.sweeps
            for line in sweep.lines
            if not line.again
        }


def read(store: SpeedStore) -> Throughput:
    """What the store holds, arranged for a reader."""
    found = devices(store.cells(), cache(store.runs))
    return Throughput(found, _grouped(store.left_out()) if found else ())


def context(shown: Throughput) -> dict[str, Any]:
    """What the section's templates want."""
    return {
        "throughput": shown.devices,
        "served": shown.rows,
        "forms": _forms(shown.rows),
        "left_out": shown.left_out,
        "plots": {sweep.anchor: plots(sweep) for each in shown.devices for sweep in each.sweeps},
        "index_plots": {device.anchor: index_plot(device) for device in shown.devices},
        "target": TARGET,
        "speed_facts": FACTS,
        "across_sizes": across_sizes,
        "told": told,
    }


def _forms(rows: Mapping[str, SpeedCell]) -> dict[tuple[str, str], list[str]]:
    """(how it serves, its weights) -> the rows of which that is told."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, cell in rows.items():
        found.setdefault((cell.form, cell.weights), []).append(name)
    return found


def _grouped(left_out: Iterable[LeftOutRow]) -> tuple[LeftOut, ...]:
    sizes: dict[tuple[str, str, str, str], list[int]] = {}
    for each in left_out:
        name = (each.row, each.device, each.numbers, each.reason)
        sizes.setdefault(name, []).append(each.candidates)
    return tuple(
        LeftOut(row, device, numbers, tuple(sorted(set(found))), reason)
        for (row, device, numbers, reason), found in sizes.items()
    )
