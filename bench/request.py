"""What was asked for, checked against what is there, and made into a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.devices import resolve_device
from bench.plan import Loaded, Planned, not_loaded, plan
from bench.runner import RunOptions
from bench.selection import (
    UsageError,
    known_entry,
    known_name,
    parse_checkpoints,
    parse_depth,
    parse_galleries,
    parse_imports,
    parse_seeds,
    split_names,
)
from bench.sources import DatasetSource
from bench.store import ResultStore
from datasets import loading
from datasets import registry as datasets
from datasets.base import DatasetError
from datasets.ordered_pool import default_workers
from retrievers import registry as retrievers
from retrievers.base import Precision, Settings
from retrievers.imported import ROLE
from retrievers.untrained import MARK as UNTRAINED


@dataclass(frozen=True)
class Request:
    """The command line, parsed but not yet checked against what is there."""

    dataset: str
    retriever: str
    manifest: Path | None
    data_root: Path | None
    cache: Path
    results: Path
    checkpoint: str
    seeds: str
    device: str
    everything: bool = False
    precision: Precision = "fp32"
    depth: str = "published"
    untrained: bool = False
    imported: str = ""
    annotations_only: bool = False
    skip_bad: bool = False
    workers: int | None = None
    threads: int | None = None
    jobs: int | None = None
    quiet: bool = False
    report: Path | None = None
    gallery: str = ""
    distractors: Path | None = None
    train_processes: int = 1


def chosen_retrievers(request: Request, imports: Mapping[str, str]) -> list[str]:
    """Those that were named, and every one where none was and nothing is imported.

    Raises UnknownRetriever and UsageError.
    """
    names = split_names(request.retriever)
    if not names and (request.everything or not imports):
        names = [one for one in retrievers.names() if not retrievers.entry(one).control]
    if request.untrained:
        names = [name for name in names if known_entry(name).target]
        names = [name if name.endswith(UNTRAINED) else f"{name}{UNTRAINED}" for name in names]
    return list(dict.fromkeys(map(known_name, [*names, *imports])))


def chosen_sources(request: Request, say: Callable[[str], None]) -> list[DatasetSource]:
    """What to load: the user's manifest, the named datasets, or every one that can be had.

    say  is told where each of all was found, or what stands in for it

    Each is loaded once for every gallery that was asked for. Raises UnknownDataset, UsageError,
    and DatasetError for an unknown variant.
    """
    galleries = parse_galleries(request.gallery)
    sized = any(isinstance(each, int) for each in galleries)
    if request.distractors is not None and not sized:
        raise UsageError("--distractors fills galleries up to a size: give one with --gallery.")
    if request.annotations_only and galleries != [None]:
        raise UsageError("--gallery needs the media files, which --annotations-only leaves alone.")

    def source(name: str, manifest: Path | None = None) -> DatasetSource:
        return DatasetSource(
            name=name,
            cache=request.cache,
            root=request.data_root,
            manifest=manifest,
            skip_bad=request.skip_bad,
            workers=request.workers,
            annotations_only=request.annotations_only,
        )

    def of_every_gallery(found: Sequence[DatasetSource]) -> list[DatasetSource]:
        return [
            replace(
                one,
                gallery=size,
                distractors=request.distractors if isinstance(size, int) else None,
            )
            for one in found
            for size in galleries
        ]

    names = split_names(request.dataset)
    for name in names:
        datasets.card(name)
    found = [source(request.manifest.stem, request.manifest)] if request.manifest else []
    if names or found:
        return of_every_gallery(found + [source(name) for name in names])
    choices = loading.choose_all(request.data_root, request.cache)
    for choice in choices:
        say(f"{choice.dataset}: {choice.reason}")
    return of_every_gallery([source(one.loads) for one in choices if one.loads is not None])


def make_plan(request: Request, store: ResultStore, say: Callable[[str], None]) -> list[Planned]:
    """Check everything that was asked for, load the datasets, and plan the cells.

    A dataset that cannot be loaded ends the run where the user named it; where it was only one
    of all, it stands in the plan as failed. Raises UsageError, UnusableDevice,
    UnknownRetriever, DatasetError.
    """
    imports = parse_imports(request.imported)
    names = chosen_retrievers(request, imports)
    checkpoints = {
        **parse_checkpoints(request.checkpoint, names),
        **{name: {ROLE: folder} for name, folder in imports.items()},
    }
    seeds, depth = parse_seeds(request.seeds), parse_depth(request.depth)
    sources = chosen_sources(request, say)
    device = resolve_device(request.device)
    loaded, lost = [], []
    for source in sources:
        try:
            _say_what_is_drawn(source, say)
            loaded.append(Loaded(source, source.load()))
        except DatasetError as problem:
            if request.dataset or request.manifest:
                raise
            lost.append(not_loaded(source, problem))

    def settings_of(name: str, seed: int) -> Settings:
        return Settings(
            seed,
            device,
            request.cache,
            checkpoints[name],
            request.precision,
            depth,
            request.train_processes,
        )

    return [*lost, *plan(loaded, names, seeds, settings_of, store)]


def _say_what_is_drawn(source: DatasetSource, say: Callable[[str], None]) -> None:
    """Tell beforehand how long further items of a twin take. Raises DatasetError."""
    items, seconds = source.drawing_ahead()
    if items:
        say(
            f"{source.name}: {items:,} further items are drawn for a gallery of "
            f"{source.gallery:,}, in about {seconds:,.0f} seconds, and kept."
        )


def run_options(request: Request, planned: Sequence[Planned]) -> RunOptions:
    """How many datasets are under way at a time, and the threads of each.

    Small models gain little from a second core, so with ``--all`` on a CPU each core has a
    dataset of its own.
    """
    cores, at_once = default_workers(), request.jobs
    if at_once is None:
        running = [cell for cell in planned if cell.action == "run"]
        on_cpu = all(cell.settings is None or cell.settings.device == "cpu" for cell in running)
        lanes = len({cell.source for cell in running})
        at_once = max(1, min(cores, lanes)) if request.everything and on_cpu else 1
    share = max(1, cores // at_once) if at_once > 1 else None
    return RunOptions(request.results, request.threads or share, request.quiet, at_once)


def restrictions(planned: Sequence[Planned]) -> list[str]:
    """A sentence for each retriever that is about to use weights which not everybody may use."""
    running = [cell.retriever for cell in planned if cell.action == "run"]
    entries = [retrievers.entry(name) for name in dict.fromkeys(running)]
    return [
        f"{entry.name}: its weights are under {entry.licence}: {entry.restriction}."
        for entry in entries
        if entry.restriction
    ]
