"""What ``--list`` shows: the retrievers and the datasets, each with its state."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType

from bench import terminal
from datasets import loading
from datasets import registry as datasets
from retrievers import registry as retrievers
from retrievers.base import Settings


def choices(data_root: Path | None, cache: Path) -> RenderableType:
    """Every name that --retriever and --dataset take."""
    settings = Settings(seed=0, device="cpu", cache=cache)
    systems = [(name, _retriever(name, settings)) for name in retrievers.names()]
    sets = [(name, _dataset(name, data_root)) for name in datasets.names()]
    return Group(terminal.choices("Retrievers", systems), terminal.choices("Datasets", sets))


def _dataset(name: str, data_root: Path | None) -> tuple[str, ...]:
    entry, variants = datasets.entry(name), datasets.card(name).variants
    place = loading.locate(name, data_root)
    stands_in = f"{entry.twin} stands in. " if entry.twin and place.folder is None else ""
    return (
        f"{entry.modality}; {entry.summary}",
        f"Variants: {', '.join(f'{name}:{one}' for one in variants)}" if len(variants) > 1 else "",
        stands_in + place.sentence,
    )


def _retriever(name: str, settings: Settings) -> tuple[str, ...]:
    entry = retrievers.entry(name)
    return (
        f"{entry.paradigm}; ranks {', '.join(entry.modalities)}; licence: {entry.licence}",
        entry.summary,
        *(f"--checkpoint {role}=: {what}" for role, what in entry.checkpoint_roles.items()),
        _state(name, settings),
    )


def _state(name: str, settings: Settings) -> str:
    try:
        state = retrievers.adapter(name).availability(settings)
    except Exception as problem:
        return f"Cannot be loaded. {type(problem).__name__}: {problem}"
    return f"{'Ready' if state.ready else 'Not ready'}: {state.sentence}".rstrip(": ")
