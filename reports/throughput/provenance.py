"""What is needed to repeat a result of the throughput sweep, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.speed.cells import Scalar, SpeedCell
from reports import units
from reports.provenance import holders, machine, option, versions
from reports.throughput.indexes import PREFIX


def across_sizes(
    cells: Sequence[SpeedCell], read: Callable[[SpeedCell], str]
) -> dict[str, tuple[int, ...]]:
    """The distinct values that ``read`` gives, with the sizes that have each if several."""
    return holders((read(cell), cell.spec.candidates) for cell in cells)


def listed(settings: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name} {option(value)}" for name, value in settings.items())


def numbers(cell: SpeedCell) -> str:
    """The numbers in use where the row told them, else those that were asked for."""
    return option(cell.facts.get("numbers", cell.spec.numbers))


def untrained(cell: SpeedCell) -> bool:
    """Whether its weights are random; what that leaves untouched may follow in ``weights``."""
    return cell.weights.startswith("random")


def processes(cell: SpeedCell) -> str:
    spec = cell.spec
    times = "one fresh process" if spec.repeats == 1 else f"{spec.repeats} fresh processes"
    return (
        f"{times} of at least {units.seconds(spec.seconds)}, "
        f"{units.count(cell.completed)} queries in {units.count(cell.windows)} windows"
    )


def build(cell: SpeedCell) -> str:
    return ", ".join(f"{name} {units.seconds(spent)}" for name, spent in cell.build.items())


def phases(cell: SpeedCell) -> str:
    return ", ".join(
        f"{name} {units.milliseconds(spent)}" for name, spent in cell.phases_ms.items()
    )


def told(cells: Sequence[SpeedCell]) -> dict[str, dict[str, tuple[int, ...]]]:
    """What a row said of itself and measured in building, each with its values across sizes.

    The curve of its index is left out, and the form, which is told elsewhere.
    """
    facts = [{**cell.spec.options, **cell.facts} for cell in cells if cell.status == "done"]
    names = dict.fromkeys(name for each in facts for name in each)
    sizes = [cell.spec.candidates for cell in cells if cell.status == "done"]
    return {
        name: holders(
            (_said(each[name]), size)
            for each, size in zip(facts, sizes, strict=True)
            if name in each
        )
        for name in names
        if name != "form" and not name.startswith(PREFIX)
    }


def _said(value: Scalar) -> str:
    return units.plain(value) if isinstance(value, float) else option(value)


def batches(cell: SpeedCell) -> str:
    """The sizes of the batches that the front end formed, the five most frequent."""
    often = sorted(cell.batches.items(), key=lambda pair: -pair[1])[:5]
    return ", ".join(f"{size} ({units.count(times)} times)" for size, times in often)


FACTS: dict[str, Callable[[SpeedCell], str]] = {
    "Machine": machine,
    "Versions": versions,
    "Git revision": lambda cell: cell.revision,
    "Digest of the code": lambda cell: cell.spec.code,
    "Digest of the machine": lambda cell: cell.spec.host,
    "Measured in": processes,
    "Load": lambda cell: listed(cell.spec.load),
    "Batches formed": batches,
    "Building": build,
    "Time of a query by phase": phases,
    "Notes": lambda cell: " ".join(cell.notes) or "none",
}
