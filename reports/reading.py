"""All that the report is made of, read from the stores once and arranged for a reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.growth.summary import LivingRow
from bench.speed.store import SpeedStore
from bench.store import ResultStore
from bench.summary import Row, summarise
from reports.ablations.section import Ablations, read_ablations
from reports.comparison import Section, sections, with_standings_of
from reports.living import read_living
from reports.throughput import section
from reports.throughput.section import Throughput


@dataclass(frozen=True)
class Reading:
    """What one folder of results holds.

    parts     the datasets, without variants that were measured for an ablation alone
    variants  those, as sections that only tell where they come from
    """

    store: ResultStore
    parts: tuple[Section, ...]
    variants: tuple[Section, ...]
    living: tuple[LivingRow, ...]
    ablated: Ablations
    served: Throughput

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        accurate = self.parts or self.variants or self.living
        return not (accurate or self.served.devices or self.ablated.maps)


def read(results: Path) -> Reading:
    """Read a folder of results, which may hold none."""
    store = ResultStore(results)
    ablated = read_ablations(results)
    rows, variants = _of_ablations(summarise(store), ablated.keys)
    return Reading(
        store=store,
        parts=tuple(with_standings_of(part, store) for part in sections(rows)),
        variants=sections(variants, "variant"),
        living=tuple(read_living(results)),
        ablated=ablated,
        served=section.read(SpeedStore(results)),
    )


def _of_ablations(rows: list[Row], keys: frozenset[str]) -> tuple[list[Row], list[Row]]:
    """The rows of retrievers, and those of variants whose every cell an ablation names."""

    def variant(row: Row) -> bool:
        return "[" in row.retriever.name and all(cell.spec.key in keys for cell in row.cells)

    return [row for row in rows if not variant(row)], [row for row in rows if variant(row)]
