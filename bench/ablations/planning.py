"""The rows of the tables as retrievers by name, and the cells that were planned for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.ablations.effort import shortened
from bench.ablations.runs import Of, Run, RunRow
from bench.ablations.tables import ABLATIONS, Ablation, choose
from bench.plan import Planned
from bench.selection import UsageError, known_adapter, known_name
from retrievers import registry
from retrievers.base import Variable
from retrievers.variants import with_changes

# Identifiers are made before the model is trained, so a map of them wants no trained model.
HARDLY_TRAINED = {
    "fit.epochs": "1",
    "fit.least_steps": "0",
    "absorb.epochs": "1",
    "absorb.least_steps": "0",
}


@dataclass(frozen=True)
class Base:
    """The retriever whose config the settings change.

    fields     its config
    shortened  the fields that a reduced run sets, the same in every row
    """

    name: str
    fields: Mapping[str, object]
    effort: float
    shortened: Mapping[str, str]


def base_of(name: str, effort: float) -> Base:
    """Raises UsageError, UnknownRetriever."""
    if not 0 < effort <= 1:
        raise UsageError(f"--effort {effort:g}: give a number above 0 and at most 1.")
    own = known_name(name)
    adapter = known_adapter(own)
    if not isinstance(adapter, Variable):
        raise UsageError(
            f"--retriever {name}: an ablation changes the fields of CART's config, and this "
            "retriever has none. Name cart, a variant of it or another of its sizes."
        )
    return Base(own, adapter.fields, effort, shortened(adapter.fields, effort))


def rows_of(ablation: Ablation, base: Base) -> tuple[RunRow, ...]:
    """A row a setting, without cells; one whose changes cannot be made says why."""
    return tuple(
        _named(RunRow(setting.name, setting.label, setting.changes), base)
        for setting in ablation.settings
    )


def map_name(base: Base) -> str:
    """The retriever whose identifiers are mapped: they are those of the base."""
    changes = {name: text for name, text in HARDLY_TRAINED.items() if name in base.fields}
    return known_name(with_changes(base.name, changes))


def retrievers_of(rows: Iterable[RunRow]) -> list[str]:
    """Each variant once."""
    return list(dict.fromkeys(row.retriever for row in rows if row.retriever))


def runs_of(tables: Sequence[int], base: Base, planned: Sequence[Planned]) -> list[Run]:
    """The tables that the planned cells make, for each dataset that was loaded."""
    groups: dict[tuple[str, str], list[Planned]] = {}
    for cell in planned:
        if cell.protocol:
            groups.setdefault((cell.dataset, cell.protocol), []).append(cell)
    return [
        run
        for (dataset, protocol), cells in groups.items()
        for run in _runs_on(tables, base, dataset, protocol, cells)
    ]


def _runs_on(
    tables: Sequence[int], base: Base, dataset: str, protocol: str, cells: Sequence[Planned]
) -> Iterable[Run]:
    synthetic = any(cell.spec.synthetic for cell in cells if cell.spec)
    of = Of(dataset, protocol, synthetic, base.name, base.effort, base.shortened)
    for chosen in choose(tables, dataset):
        rows = tuple(_with_cells(row, cells) for row in rows_of(chosen.ablation, base))
        yield Run(of, chosen.table, chosen.published, chosen.remark, rows)


def _named(row: RunRow, base: Base) -> RunRow:
    try:
        return replace(
            row, retriever=known_name(with_changes(base.name, {**base.shortened, **row.changes}))
        )
    except registry.UnknownRetriever as problem:
        return replace(row, reason=str(problem))


def _with_cells(row: RunRow, cells: Sequence[Planned]) -> RunRow:
    own = [cell for cell in cells if cell.retriever == row.retriever]
    keys = {str(cell.spec.seed): cell.spec.key for cell in own if cell.spec}
    reasons = dict.fromkeys(cell.reason for cell in own if not cell.spec)
    return replace(row, keys=keys, reason=" ".join([row.reason, *reasons]).strip())


def all_tables() -> list[int]:
    """One table of each ablation; which of them it is follows from the dataset."""
    return [ablation.tables[0] for ablation in ABLATIONS]


def announced(rows: Iterable[RunRow], say: Callable[[str], None]) -> None:
    """Say which rows are left out before anything runs."""
    for row in rows:
        if row.reason:
            say(f"{row.label}: left out. {row.reason}")
