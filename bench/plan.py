"""What would be run: each retriever on each dataset with each seed, and what is stored already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from bench.cells import Cell, CellSpec
from bench.code_digest import code_digest
from bench.sources import DatasetSource
from bench.store import ResultStore
from datasets.base import Dataset, DatasetError, Modality
from retrievers import registry
from retrievers.base import Adapter, Availability, Settings, WeightsAbsent
from retrievers.imported import MARK as IMPORTED
from retrievers.weights.report import CheckpointError

DEPTH = 10

Action = Literal["run", "reuse", "skip", "fail"]


@dataclass(frozen=True)
class Loaded:
    """A dataset, and where a second process loads it from."""

    source: DatasetSource
    dataset: Dataset


@dataclass(frozen=True)
class Planned:
    """One cell of the plan.

    protocol, retriever  "" where the dataset could not be loaded, which "fail" then says
    action  "run" it, "reuse" what is stored, "skip" it, or "fail": it cannot even be described
    reason  why it is skipped or fails, or how it failed the last time
    seed    None where the reason holds for every seed
    spec    None where it was not described
    """

    source: DatasetSource
    dataset: str
    protocol: str
    retriever: str
    action: Action
    reason: str = ""
    seed: int | None = None
    spec: CellSpec | None = None
    settings: Settings | None = None

    @property
    def title(self) -> str:
        if not self.retriever:
            return self.dataset
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.retriever} on {self.dataset} ({self.protocol}){seed}"


@dataclass(frozen=True)
class _System:
    """What is asked once of a retriever, whatever the dataset."""

    adapter: Adapter
    modalities: tuple[Modality, ...]
    code: str
    state: Availability


def not_loaded(source: DatasetSource, problem: DatasetError) -> Planned:
    """What stands in the plan for a dataset that cannot be loaded."""
    return Planned(source, source.name, "", "", "fail", str(problem))


def plan(
    datasets: Sequence[Loaded],
    retrievers: Sequence[str],
    seeds: Sequence[int],
    settings_of: Callable[[str, int], Settings],
    store: ResultStore,
) -> list[Planned]:
    """The cells in the order in which they run; nothing is trained.

    settings_of  (retriever, seed) -> what its adapter is told
    """

    @cache
    def system_of(name: str) -> _System:
        adapter, entry = registry.adapter(name), registry.entry(name)
        state = adapter.availability(settings_of(name, seeds[0]))
        return _System(adapter, entry.modalities, code_digest(entry.target), state)

    return list(
        _once(
            planned
            for loaded in datasets
            for name in retrievers
            for planned in _seeds_of(loaded, name, seeds, settings_of, store, system_of)
        )
    )


def _once(cells: Iterable[Planned]) -> Iterator[Planned]:
    """Each cell once where two names, such as mscoco and mscoco:5k, are the same data."""
    seen: set[str] = set()
    for cell in cells:
        if cell.spec is None or cell.spec.key not in seen:
            yield cell
        if cell.spec is not None:
            seen.add(cell.spec.key)


def _seeds_of(
    loaded: Loaded,
    name: str,
    seeds: Sequence[int],
    settings_of: Callable[[str, int], Settings],
    store: ResultStore,
    system_of: Callable[[str], _System],
) -> Iterator[Planned]:
    dataset = loaded.dataset
    row = Planned(loaded.source, dataset.name, dataset.protocol, name, "skip")
    try:
        system = system_of(name)
        obstacle = _obstacle(system, name, dataset)
        if obstacle:
            yield replace(row, reason=obstacle)
            return
        for seed in seeds:
            settings = settings_of(name, seed)
            spec = _cell_spec(system, settings, dataset)
            # With the checkpoints that were named it may rank less than it can in general.
            obstacle = _other_media(spec.retriever.modalities, dataset)
            if obstacle:
                yield replace(row, reason=obstacle)
                return
            yield _known(row, spec, settings, store.get(spec.key))
    except WeightsAbsent as problem:
        yield replace(row, reason=str(problem))
    except CheckpointError as problem:
        yield replace(row, action="fail", reason=str(problem))
    except Exception as problem:
        text = " ".join(str(problem).split())
        yield replace(row, action="fail", reason=f"{type(problem).__name__}: {text}")


def _obstacle(system: _System, name: str, dataset: Dataset) -> str:
    """Why a retriever cannot run on a dataset, "" where it can.

    That weights are absent comes first: it is the same for every dataset.
    """
    if not system.state.ready:
        return system.state.sentence
    if not dataset.media_seen and not name.endswith(IMPORTED):
        return "Only imported results can be measured with --annotations-only."
    return _other_media(system.modalities, dataset)


def _other_media(modalities: Sequence[Modality], dataset: Dataset) -> str:
    if dataset.modality in modalities:
        return ""
    return f"It ranks {' and '.join(modalities)} alone."


def _cell_spec(system: _System, settings: Settings, dataset: Dataset) -> CellSpec:
    return CellSpec(
        retriever=system.adapter.describe(settings),
        dataset=dataset.name,
        protocol=dataset.protocol,
        dataset_digest=dataset.digest,
        synthetic=dataset.synthetic,
        seed=settings.seed,
        k=DEPTH,
        code=system.code,
    )


def _known(row: Planned, spec: CellSpec, settings: Settings, stored: Cell | None) -> Planned:
    reused = stored is not None and stored.status == "done"
    return replace(
        row,
        action="reuse" if reused else "run",
        reason=f"failed before: {stored.reason}" if stored and not reused else "",
        seed=spec.seed,
        spec=spec,
        settings=settings,
    )
