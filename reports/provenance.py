"""What is needed to repeat a result, in words; and which seeds each fact holds for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.cells import Cell
from reports import units

SHARES = {
    "accuracy",
    "ceiling",
    "control",
    "certified",
    "distinct",
    "exact",
    "fraction",
    "rate",
    "recall",
    "share",
    "verbatim",
}
DETAILED = {
    "certified",
    "certifying_work",
    "exact_top_1",
    "exact_top_10",
    "greedy_share",
    "perplexity",
    "token_accuracy",
    "used_share",
}
# What of a machine a run chooses.
GIVEN = ("cells at once", "threads", "device", "python")
SPOKEN = {
    "collision_ceiling": "Collision ceiling",
    "collision_rate": "Collisions, share of the gallery",
    "distinct_prefixes": "Distinct prefixes, share of the gallery",
    "token_accuracy": "Accuracy of token",
    "greedy_share": "Queries that greedy decoding has right up to token",
    "perplexity": "Perplexity of token",
    "used_share": "Codes in use, share of those of token",
    "unexplained_variance_share": "Variance that codes do not keep, share",
    "captions": "Queries in the very words of",
    "verbatim": "a caption that their item was learned from",
    "verbatim_untaught": "one that no training caption has",
    "certified": "Queries whose ten best are certified exact,",
    "exact_top_1": "Queries whose best is the model's own,",
    "exact_top_10": "Queries whose ten best are the model's own,",
    "certifying_work": "Decoder positions with widening over those without,",
    "k": "k (coarse)",
    "u": "u (unique)",
}


class Stored(Protocol):
    """A stored result of any kind."""

    @property
    def created(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def machine(self) -> Mapping[str, str]: ...
    @property
    def versions(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Shared:
    """One fact about several cells: a value, and the seeds it holds for (empty: all of them)."""

    value: str
    seeds: tuple[int, ...]


def shared(cells: Sequence[Cell], read: Callable[[Cell], str]) -> tuple[Shared, ...]:
    """The distinct values that ``read`` gives, with their seeds where there are several values."""
    found = holders((read(cell), cell.spec.seed) for cell in cells)
    return tuple(Shared(value, seeds) for value, seeds in found.items())


def holders(facts: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    """Each distinct value with those it holds for, with none where all have the same."""
    found: dict[str, list[int]] = {}
    for value, holder in facts:
        found.setdefault(value, []).append(holder)
    return {value: tuple(each) if len(found) > 1 else () for value, each in found.items()}


def machine(cell: Stored) -> str:
    return "; ".join(f"{name}: {value}" for name, value in cell.machine.items() if value)


def hardware(cell: Stored) -> str:
    """The machine itself, whatever of it one result was given: rows of one can be compared."""
    found = {name: value for name, value in cell.machine.items() if name not in GIVEN}
    return "; ".join(f"{name}: {value}" for name, value in found.items() if value)


def versions(cell: Stored) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(cell.versions.items()))


def phases(cell: Cell) -> str:
    return ", ".join(f"{name} {units.seconds(spent)}" for name, spent in cell.seconds.items())


def counts(cell: Cell) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {units.count(number)}" for name, number in cell.counts.items()
    )


def option(value: str | int | float | bool | None) -> str:
    """An option's value as JSON writes it, text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Diagnosed:
    """One figure that retrievers tell of themselves, as a table row.

    values    one a column
    detailed  whether it is one of many about the same: of a token, a code or a width of the beam
    """

    label: str
    values: tuple[str, ...]
    detailed: bool


def diagnosis(columns: Sequence[Mapping[str, float]]) -> list[Diagnosed]:
    """Diagnostics as table rows: shares and accuracies are in per cent, others as they are."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [
        Diagnosed(
            _spoken(name),
            tuple(_figure(name, one[name]) if name in one else units.ABSENT for one in columns),
            name.partition("/")[0] in DETAILED,
        )
        for name in names
    ]


def _spoken(name: str) -> str:
    """A name such as token_accuracy/k in words; one that is not known, without its signs."""
    parts = [SPOKEN.get(part, part.replace("_", " ")) for part in name.split("/")]
    words = " ".join(parts).strip()
    return words[:1].upper() + words[1:]


def _figure(name: str, value: float) -> str:
    if 0 <= value <= 1 and SHARES.intersection(re.findall("[a-z]+", name.lower())):
        return f"{units.percent(value)} %"
    return units.plain(value)


FACTS: dict[str, Callable[[Cell], str]] = {
    "Machine": machine,
    "Versions": versions,
    "Git revision": lambda cell: cell.revision,
    "Digest of the code": lambda cell: cell.spec.code,
    "Digest of the dataset": lambda cell: cell.spec.dataset_digest,
    "Seconds by phase": phases,
    "Counts": counts,
}
