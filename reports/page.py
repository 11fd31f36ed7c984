"""The HTML report: one file that needs nothing else, made from the stored cells alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cells import Cell
from bench.growth.results import Living
from bench.growth.summary import LivingRow
from bench.speed.cells import SpeedCell
from bench.speed.store import SpeedStore
from bench.store import ResultStore
from bench.summary import summarise
from reports import accuracy, controls, living, provenance, units
from reports.ablations.section import context as ablations_context
from reports.ablations.section import read_ablations
from reports.comparison import Section, sections, with_standings_of
from reports.decide import section as decide
from reports.inside import section as inside
from reports.look import section as look
from reports.look.albums import read as read_albums
from reports.look.media import inliner
from reports.rendering import render
from reports.throughput import section
from reports.throughput.section import Throughput

SIZE_LIMIT = 25_000_000
SCRIPTS = ("tables", "copy", "charts", "look")


class ReportError(Exception):
    """The report cannot be written; the message says why and what to do."""


def write(results: Path, output: Path, limit: int = SIZE_LIMIT) -> Path:
    """Write the report of the cells under ``results`` to ``output`` and return its path.

    The page shows fewer queries to look at where all of them would take it above ``limit``
    bytes, and says so. The same results give the same bytes. Raises ReportError when ``results``
    is not a folder or ``output`` cannot be written.
    """
    if results.exists() and not results.is_dir():
        raise ReportError(f"{results} is a file; --results must name the folder of stored results.")
    return put(_fitting(results, limit), output)


def put(page: bytes, output: Path) -> Path:
    """Write a page in place of an older one. Raises ReportError where that is not possible."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        draft = output.with_name(f"{output.name}.{os.getpid()}.part")
        draft.write_bytes(page)
        draft.replace(output)
    except OSError as error:
        raise ReportError(
            f"The report could not be written to {output}: {error.strerror or error}. "
            "Name a place that can be written with --output."
        ) from error
    return output


def _fitting(results: Path, limit: int) -> bytes:
    """The page with as many queries to look at as keep it within ``limit`` bytes."""
    if not results.is_dir():
        return _empty(results)
    store = ResultStore(results)
    served = section.read(SpeedStore(results))
    grown = living.read_living(results)
    ablated = read_ablations(results)
    rows, variants = accuracy.of_ablations(summarise(store), ablated.keys)
    parts = tuple(with_standings_of(part, store) for part in sections(rows))
    told_of = sections(variants, "variant")
    if not parts and not told_of and not grown and not served.devices and not ablated.maps:
        return _empty(results)
    context = {
        **_masthead((*parts, *told_of), served, grown),
        **accuracy.context(parts, store.skipped()),
        **decide.context(parts, grown, served.cells),
        **controls.context(parts, store),
        **living.context(grown),
        **section.context(served),
        **ablations_context(ablated),
        "variants": told_of,
        **inside.context(inside.look(parts, store)),
        "limit": limit,
    }
    albums = read_albums(parts, store)
    inline = inliner(store.media)
    without = render("page.html", {**context, **look.context(albums, inline, 0)}, SCRIPTS)
    room = limit - len(without)
    return render("page.html", {**context, **look.context(albums, inline, room)}, SCRIPTS)


def _empty(results: Path) -> bytes:
    told = {"results": str(results), "exists": results.is_dir()}
    return render("empty.html", told, ("copy",))


def _masthead(
    parts: Sequence[Section], served: Throughput, grown: Sequence[LivingRow]
) -> dict[str, Any]:
    """What the head of the page says of all results together."""
    rows = [line.row for part in parts for line in part.lines]
    cells: list[Cell | SpeedCell | Living] = [
        *(cell for row in rows for cell in row.cells),
        *served.cells,
        *(result for row in grown for result in row.results),
    ]
    moments = [cell.created for cell in cells]
    return {
        "stored": len(cells),
        "failed": sum(cell.status == "failed" for cell in cells),
        "superseded": sum(row.superseded for row in rows) + served.superseded,
        "measured": units.span(min(moments), max(moments)) if moments else units.ABSENT,
        "machines": tuple(dict.fromkeys(provenance.machine(cell) for cell in cells)),
    }
