"""Figure 5's maps: each made in a process of its own, unless it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.ablations.planning import Base
from bench.ablations.runs import Drawn, Of, RunStore
from bench.isolation import run_isolated
from bench.plan import Planned
from bench.runner import RunOptions, job_of

FIGURE = 5


@dataclass(frozen=True)
class MapOutcome:
    """What became of one map.

    drawn   None where there is none, and ``reason`` says why
    ran     whether a process was started for it
    """

    dataset: str
    drawn: Drawn | None
    reason: str = ""
    ran: bool = False


def make(
    planned: Sequence[Planned], base: Base, options: RunOptions, say: Callable[[str], None]
) -> list[MapOutcome]:
    """Make and record the map of every planned cell; one that is stored is used again.

    What a process starts ends with it, also on KeyboardInterrupt.
    """
    return [_made(cell, base, options, say) for cell in planned]


def _made(cell: Planned, base: Base, options: RunOptions, say: Callable[[str], None]) -> MapOutcome:
    store = RunStore(options.results)
    if cell.spec is None or cell.settings is None:
        return MapOutcome(cell.dataset, None, cell.reason)
    title = f"Figure {FIGURE}, items of {cell.dataset} by {base.name}'s codes"
    if store.arrays(cell.spec.key).is_file():
        say(f"{title}: stored already, reused")
    else:
        say(f"{title}: runs")
        ended = run_isolated(
            job_of(cell, options),
            module="bench.ablations.map_process",
            threads=options.threads,
            quiet=options.quiet,
        )
        if ended.status != "done":
            return MapOutcome(cell.dataset, None, ended.reason, ran=True)
    spec = cell.spec
    of = Of(spec.dataset, spec.protocol, spec.synthetic, base.name)
    drawn = Drawn(of, FIGURE, cell.retriever, spec.seed, spec.key)
    store.write(drawn)
    return MapOutcome(cell.dataset, drawn)
