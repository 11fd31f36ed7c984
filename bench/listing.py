"""What ``--list`` shows: the retrievers and the datasets, each with its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import published
from cart.variants import text_of
from datasets import loading
from datasets import registry as datasets
from retrievers import registry as retrievers
from retrievers.base import Settings, Variable
from retrievers.entry import Entry

# Kind of name -> name -> sentences about it.
Choices = Mapping[str, Mapping[str, Sequence[str]]]


def choices(data_root: Path | None, cache: Path) -> Choices:
    """Every name that --retriever and --dataset take, some sentences each."""
    settings = Settings(seed=0, device="cpu", cache=cache)
    return {
        "retrievers": {name: _in_short(name, settings) for name in retrievers.names()},
        "datasets": {name: _dataset(name, data_root) for name in datasets.names()},
    }


def facts(names: Sequence[str], cache: Path) -> Choices:
    """All that is known of some retrievers."""
    settings = Settings(seed=0, device="cpu", cache=cache)
    return {"retrievers": {name: _in_full(name, settings) for name in names}}


def _said(*lines: str) -> tuple[str, ...]:
    """Those that say something."""
    return tuple(filter(None, lines))


def _dataset(name: str, data_root: Path | None) -> tuple[str, ...]:
    entry, variants = datasets.entry(name), datasets.card(name).variants
    place = loading.locate(name, data_root)
    stands_in = f"{entry.twin} stands in. " if entry.twin and place.folder is None else ""
    return _said(
        f"{entry.modality}; {entry.summary}",
        f"Variants: {', '.join(f'{name}:{one}' for one in variants)}" if len(variants) > 1 else "",
        stands_in + place.sentence,
    )


def _in_short(name: str, settings: Settings) -> tuple[str, ...]:
    entry = retrievers.entry(name)
    return _said(_kind(entry), _licence(entry), _published_figures(entry), _state(name, settings))


def _in_full(name: str, settings: Settings) -> tuple[str, ...]:
    entry = retrievers.entry(name)
    return _said(
        _kind(entry),
        entry.summary,
        _licence(entry),
        _published(entry),
        *(f"--checkpoint {name}.{role}=: {what}" for role, what in entry.checkpoint_roles.items()),
        _fields(name),
        _state(name, settings),
    )


def _fields(name: str) -> str:
    """What a variant of it can change, "" where there is nothing or it cannot be loaded."""
    try:
        found = retrievers.adapter(name)
    except Exception:
        return ""  # _state says why
    if not isinstance(found, Variable):
        return ""
    fields = (f"{field}={text_of(value)}" for field, value in found.fields.items())
    return f"Fields, for {name}[field=value;...]: {'; '.join(fields)}"


def _kind(entry: Entry) -> str:
    sizes = f"; {entry.parameters / 1e6:,.1f}M parameters" if entry.parameters else ""
    control = "; a control, run only when it is named" if entry.control else ""
    return f"{entry.paradigm}; {', '.join(entry.modalities)}{sizes}{control}"


def _licence(entry: Entry) -> str:
    restriction = f" ({entry.restriction})" if entry.restriction else ""
    return f"Licence: {entry.licence}{restriction}"


def _published_figures(entry: Entry) -> str:
    if entry.published is None:
        return ""
    found = published.figures(entry.published.system, entry.published.setting)
    told = ", ".join(f"{name} {each.percent['R@1']:.1f}" for name, each in found.items())
    return f"Published R@1: {told}"


def _published(entry: Entry) -> str:
    """The paper's row of a retriever, and the weights that it is of."""
    row = entry.published
    if row is None:
        return "Not in the paper's tables."
    told = []
    for dataset, found in published.figures(row.system, row.setting).items():
        weights = row.made_of.get(dataset, row.made_of.get("", ()))
        of = f" of {weights[0]}" if weights else ""
        differs = row.differs.get(dataset, row.differs.get("", ""))
        remark = f"; it {differs}" if differs else ""
        told.append(f"{dataset} R@1 {found.percent['R@1']:.1f}{of} ({found.source}{remark})")
    return f"Published as {row.system}: {', '.join(told)}."


def _state(name: str, settings: Settings) -> str:
    try:
        state = retrievers.adapter(name).availability(settings)
    except Exception as problem:
        return f"Cannot be loaded. {type(problem).__name__}: {problem}"
    if not retrievers.entry(name).target:
        return state.sentence
    return f"{'Ready' if state.ready else 'Weights absent'}: {state.sentence}".rstrip(": ")
