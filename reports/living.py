"""The living corpus for the page: a block each retriever and dataset, read from what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.growth import terminal
from bench.growth.protocol import GROUPS
from bench.growth.results import LivingStore
from bench.growth.summary import LivingRow, rows

METRICS = terminal.METRICS


@dataclass(frozen=True)
class LivingShown:
    """One row as the page shows it."""

    anchor: str
    row: LivingRow
    sentences: tuple[str, ...]

    @property
    def label(self) -> str:
        """As "cart on flickr30k-mini"."""
        return f"{self.row.retriever} on {self.row.dataset}"


def read_living(results: Path) -> tuple[LivingRow, ...]:
    """What is stored, with its figures; failed results are left out."""
    return tuple(rows(LivingStore(results).results()))


def context(found: Sequence[LivingRow]) -> dict[str, Any]:
    """What the section's template wants."""
    shown = [
        LivingShown(f"living-{number}", row, tuple(terminal.conclusions(row)))
        for number, row in enumerate(found, start=1)
    ]
    return {
        "living": shown,
        "living_said": terminal.SAID,
        "living_groups": GROUPS,
        "living_metrics": METRICS,
    }
