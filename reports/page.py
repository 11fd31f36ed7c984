"""The HTML report: one file that needs nothing else, made from the stored cells alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bench.cells import Cell
from bench.growth.results import Living
from bench.speed.cells import SpeedCell
from reports import accuracy, controls, living, provenance, units
from reports.ablations.section import context as ablations_context
from reports.decide import section as decide
from reports.inside import section as inside
from reports.look import section as look
from reports.look.albums import read as read_albums
from reports.look.media import inliner
from reports.reading import Reading, read
from reports.rendering import render
from reports.throughput import section

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
    return put(page_of(read_folder(results), results, limit), output)


def read_folder(results: Path) -> Reading:
    """What a folder holds; nothing where it is not there. Raises ReportError for a file."""
    if results.exists() and not results.is_dir():
        raise ReportError(f"{results} is a file; --results must name the folder of stored results.")
    return read(results)


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


def page_of(found: Reading, results: Path, limit: int = SIZE_LIMIT) -> bytes:
    """The page, with as many queries to look at as keep it within ``limit`` bytes.

    results  the folder that was read, which an empty page names
    """
    if found.empty:
        told = {"results": str(results), "exists": results.is_dir()}
        return render("empty.html", told, ("copy",))
    parts, store = found.parts, found.store
    context = {
        **_masthead(found),
        **accuracy.context(parts, store.skipped()),
        **decide.context(parts, found.living, found.served.cells),
        **controls.context(parts, store),
        **inside.context(inside.look(parts, store)),
        **living.context(found.living),
        **section.context(found.served),
        **ablations_context(found.ablated),
        "variants": found.variants,
        "limit": limit,
    }
    albums = read_albums(parts, store)
    inline = inliner(store.media)
    without = _page({**context, **look.context(albums, inline, 0)})
    return _page({**context, **look.context(albums, inline, limit - len(without))})


def _page(context: dict[str, Any]) -> bytes:
    return render("page.html", context, SCRIPTS)


def _masthead(found: Reading) -> dict[str, Any]:
    """What the head of the page says of all results together."""
    rows = [line.row for part in (*found.parts, *found.variants) for line in part.lines]
    cells: list[Cell | SpeedCell | Living] = [
        *(cell for row in rows for cell in row.cells),
        *found.served.cells,
        *(result for row in found.living for result in row.results),
    ]
    moments = [cell.created for cell in cells]
    return {
        "stored": len(cells),
        "failed": sum(cell.status == "failed" for cell in cells),
        "superseded": sum(row.superseded for row in rows) + found.served.superseded,
        "measured": units.span(min(moments), max(moments)) if moments else units.ABSENT,
        "machines": tuple(dict.fromkeys(provenance.hardware(cell) for cell in cells)),
    }
