"""All that the ablations' section shows, read from what was run and from the stored cells."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bench.ablations import wording
from bench.ablations.evidence import Evidence, evidence
from bench.ablations.runs import Drawn, Of, RunStore
from bench.item_map import Cohesion, NoMap, Points, cohesion, read
from bench.store import ResultStore
from reports import units
from reports.ablations.map_plot import draw_map
from reports.ablations.palette import PAGE
from reports.ablations.plot import draw, in_words
from reports.inline_svg import inline

DEPTHS = (1, 2)
SHARED_OPTIONS = ("--manifest", "--dataset", "--data-root", "--checkpoint")

log = logging.getLogger("reports.ablations")


@dataclass(frozen=True)
class Mapped:
    """A map with its numbers, one a depth."""

    drawn: Drawn
    points: Points
    distances: tuple[Cohesion, ...]

    @property
    def depths(self) -> tuple[int, ...]:
        """How many codes each panel compares."""
        return tuple(found.depth for found in self.distances)


@dataclass(frozen=True)
class Ablations:
    """Empty where none was run."""

    tables: tuple[Evidence, ...]
    maps: tuple[Mapped, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The cells that stand here, failed ones too."""
        rows = (row for found in self.tables for row in found.run.rows)
        return frozenset(key for row in rows for key in row.keys.values())


@dataclass(frozen=True)
class TableShown:
    """One table as the page shows it."""

    anchor: str
    found: Evidence
    svg: Markup
    directions: tuple[str, ...]
    remarks: tuple[str, ...]
    command: str

    @property
    def label(self) -> str:
        """As "Table 4 on flickr30k-mini"."""
        return f"Table {self.found.run.table} on {self.found.run.of.dataset}"


@dataclass(frozen=True)
class MapShown:
    """One map as the page shows it."""

    anchor: str
    of: Of
    svg: Markup
    sentences: tuple[str, ...]


def read_ablations(results: Path) -> Ablations:
    """What was run, with its figures; a table without a measured row is left out."""
    store, records = ResultStore(results), RunStore(results)
    tables = []
    for run in records.runs():
        try:
            found = evidence(run, store)
        except (KeyError, StopIteration) as problem:
            log.warning("%s is left out: it is no table of the paper (%s).", run.stem, problem)
            continue
        if found.cells:
            tables.append(found)
    return Ablations(tuple(tables), tuple(_maps(records)))


def _maps(records: RunStore) -> Iterable[Mapped]:
    for drawn in records.drawn():
        try:
            points = read(records.arrays(drawn.key))
        except NoMap as problem:
            log.warning("%s is left out: %s.", drawn.stem, problem)
            continue
        depths = [depth for depth in DEPTHS if depth <= points.prefixes.shape[1]]
        yield Mapped(drawn, points, tuple(cohesion(points, depth) for depth in depths))


def context(found: Ablations) -> dict[str, Any]:
    """What the section's template wants."""
    return {
        "ablations": [_table(each, n) for n, each in enumerate(found.tables, start=1)],
        "item_maps": [_map(each, n) for n, each in enumerate(found.maps, start=1)],
        "verdict_words": wording.VERDICTS,
        "whole": wording.whole,
    }


def _table(found: Evidence, number: int) -> TableShown:
    anchor = f"ablation-{number}"
    title = units.visible(wording.title(found))
    svg = inline(draw(found, PAGE), f"{anchor}-plot", title, units.visible(in_words(found)))
    told, remarks = tuple(wording.directions(found)), tuple(wording.remarks(found))
    return TableShown(anchor, found, svg, told, remarks, command(found))


def _map(found: Mapped, number: int) -> MapShown:
    anchor = f"item-map-{number}"
    told = [wording.distances(each) for each in found.distances]
    title = units.visible(wording.figure_title(found.drawn.of))
    figure = draw_map(found.points, found.depths, PAGE)
    svg = inline(figure, f"{anchor}-plot", title, " ".join(told))
    return MapShown(anchor, found.drawn.of, svg, (*told, *wording.figure_remarks(found.points)))


def command(found: Evidence) -> str:
    """The line that runs this table again; where its data are is told by its cells."""
    run = found.run
    seeds = sorted({int(seed) for row in run.rows for seed in row.keys})
    words = ["python", "-m", "bench.ablation", "--table", str(run.table)]
    words += _given(found.cells[0].command)
    words += ["--seeds", ",".join(map(str, seeds))]
    words += ["--retriever", run.of.base] if run.of.base != "cart" else []
    words += ["--effort", f"{run.of.effort:g}"] if run.of.effort != 1 else []
    return shlex.join(words)


def _given(command: str) -> list[str]:
    """The options of a cell's command that its table's has too, with their values."""
    try:
        words = shlex.split(command)
    except ValueError as problem:
        log.warning("The command %r is no line of a shell (%s).", command, problem)
        return []
    return [each for pair in pairwise(words) if pair[0] in SHARED_OPTIONS for each in pair]
