"""Writes every table and plot of the report into a folder, with an index of what each is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.averages import averages
from bench.files import json_bytes, replace_file
from bench.store import ResultStore
from reports import controls
from reports.ablations.section import Ablations
from reports.comparison import Section
from reports.decide.section import kinds_of
from reports.exports import accuracy, deciding, growth, plots, throughput
from reports.exports.ablation import ablation
from reports.exports.formats import in_markdown
from reports.exports.inside import inside
from reports.exports.links import files
from reports.exports.pictures import png_of, svg_of
from reports.exports.plots import Plot
from reports.exports.table import Table
from reports.gallery_sizes import Growth, growths
from reports.inside.section import look
from reports.reading import Reading
from reports.throughput.section import Throughput

INDEX, READ_ME = "index.json", "README.md"
SCHEMA = 1
_OURS = re.compile(r"(?:tables|plots)/[A-Za-z0-9._-]+\.(?:csv|md|tex|svg|png)")


@dataclass(frozen=True)
class Exports:
    """Everything that can be written."""

    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]


def exports_of(found: Reading) -> Exports:
    """All that was read, as tables and plots."""
    grown = growths(found.parts)
    kinds = kinds_of(found.parts, found.living, found.served.cells)
    averaged = averages([line.row for part in found.parts for line in part.lines])
    tables = [
        *map(deciding.costs, kinds),
        *([deciding.means(averaged)] if averaged else []),
        *_of_sections(found.parts, found.store),
        *map(growth.sizes, grown),
        *map(growth.living, found.living),
        *_of_sweeps(found.served),
        *map(ablation, found.ablated.tables),
    ]
    pictures = [picture for kind in kinds for picture in kind.pictures if picture.options]
    drawn = _plots(found.parts, grown, found.served, found.ablated)
    within = (plot for each in look(found.parts, found.store) for plot in inside(each))
    return Exports(tuple(tables), (*map(plots.front, pictures), *drawn, *within))


def _of_sections(parts: Sequence[Section], store: ResultStore) -> Iterator[Table]:
    held = controls.context(parts, store)["controls"]
    for part in parts:
        yield accuracy.accuracy(part)
        if part.forward:
            yield accuracy.pairs(part)
        if part.two_way:
            yield accuracy.media_to_text(part)
        if any(line.done for line in part.lines):
            yield accuracy.cost(part)
        if part.diagnosed:
            yield accuracy.diagnostics(part)
        yield from (accuracy.controls(part, block) for block in held[part.anchor])


def _of_sweeps(served: Throughput) -> Iterator[Table]:
    for device in served.devices:
        for sweep in device.sweeps:
            yield throughput.rates(sweep)
            if sweep.at_largest:
                yield throughput.largest(sweep)
                yield throughput.phases(sweep)
        if device.indexes:
            yield throughput.indexes(device)


def _plots(
    parts: Sequence[Section], grown: Sequence[Growth], served: Throughput, ablated: Ablations
) -> Iterator[Plot]:
    yield from map(plots.recall, parts)
    for each in grown:
        yield from plots.sizes(each)
    for device in served.devices:
        for sweep in device.sweeps:
            yield from plots.sweep(sweep)
        yield from plots.indexes(device)
    yield from map(plots.ablation, ablated.tables)
    yield from map(plots.item_map, ablated.maps)


def write_exports(found: Exports, folder: Path) -> Path:
    """Write ``tables/NAME.{csv,md,tex}``, ``plots/NAME.{svg,png}`` and an index; returns it.

    What an earlier call wrote there and this one does not is removed, and nothing else. Raises
    OSError.
    """
    earlier = _listed(folder / INDEX)
    written: list[str] = []
    for name, content in _contents(found):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
        written.append(name)
    for name in earlier - set(written):
        (folder / name).unlink(missing_ok=True)
    index = folder / READ_ME
    replace_file(index, _read_me(found).encode())
    replace_file(folder / INDEX, json_bytes(_index(found, written)))
    return index


def _contents(found: Exports) -> Iterator[tuple[str, bytes]]:
    for table in found.tables:
        for name, content in files(table).items():
            yield f"tables/{name}", content
    for plot in found.plots:
        figure = plot.figure()
        yield f"plots/{plot.name}.svg", svg_of(figure, plot.name)
        yield f"plots/{plot.name}.png", png_of(figure)


def _listed(index: Path) -> set[str]:
    """What an earlier index names; nothing of one that cannot be read or that is not ours."""
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["files"]
        return {name for name in names if isinstance(name, str) and _OURS.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _read_me(found: Exports) -> str:
    """The index for a reader."""
    tables = (_line(table, "tables", ("csv", "md", "tex")) for table in found.tables)
    plots = (_line(plot, "plots", ("svg", "png")) for plot in found.plots)
    return "\n".join(
        [
            "# Tables and plots of the report",
            "",
            "Written by `python -m reports` from stored results alone. CSV holds plain numbers in",
            "full precision, a figure and the bounds of its interval in columns of their own:",
            "accuracy in per cent, times, bytes and rates in the unit that the column names. What",
            "stands in Markdown and LaTeX (package booktabs) is what the page shows. The keys of",
            f"the cells behind each are in {INDEX}.",
            "",
            "| table | files | made of |",
            "|---|---|---|",
            *tables,
            "",
            "| plot | files | made of |",
            "|---|---|---|",
            *plots,
            "",
        ]
    )


def _line(found: Table | Plot, folder: str, endings: Sequence[str]) -> str:
    links = " · ".join(f"[{ending}]({folder}/{found.name}.{ending})" for ending in endings)
    return f"| {in_markdown(found.title)} | {links} | {in_markdown(found.provenance)} |"


def _index(found: Exports, written: Sequence[str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "tables": _entries(found.tables),
        "plots": _entries(found.plots),
        "files": list(written),
    }


def _entries(found: Iterable[Table | Plot]) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "title": each.title,
            "provenance": each.provenance,
            "cells": list(each.cells),
        }
        for each in found
    ]
