"""What a run left out, a line for each reason rather than for each cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.store import Skipped


@dataclass(frozen=True)
class LeftOut:
    """One retriever that was left out for one reason.

    retriever  "" where it was the dataset that could not be loaded
    datasets   those that it was left out of, in the order of the run
    """

    retriever: str
    datasets: tuple[str, ...]
    reason: str


def grouped(skipped: Iterable[Skipped]) -> list[LeftOut]:
    """By retriever and reason, in the order in which they came."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for each in skipped:
        found.setdefault((each.retriever, each.reason), {})[each.dataset] = None
    return [
        LeftOut(retriever, tuple(datasets), reason)
        for (retriever, reason), datasets in found.items()
    ]
