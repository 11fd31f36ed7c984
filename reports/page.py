"""The HTML report: one file that needs nothing else, made from the stored cells alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.cells import Cell
from bench.growth.results import Living
from bench.growth.summary import LivingRow
from bench.left_out import grouped
from bench.speed.cells import SpeedCell
from bench.speed.store import SpeedStore
from bench.store import ResultStore, Skipped
from bench.summary import summarise
from reports import controls, living, provenance, units
from reports.ablations.section import context as ablations_context
from reports.ablations.section import read_ablations
from reports.comparison import Line, Section, sections
from reports.examples import Album, album, inliner
from reports.figures import METRICS
from reports.gallery_sizes import growths
from reports.inside import section as inside
from reports.plot import Bar, recall_plot
from reports.throughput import section
from reports.throughput.provenance import numbers, untrained
from reports.throughput.section import Throughput

SIZE_LIMIT = 25_000_000
PLOTTED = ("R@1", "R@10")
# Characters that a row of the plot has room for.
LABEL = 56
MODALITIES = {"image": "pictures", "audio": "sounds", "video": "videos"}


class ReportError(Exception):
    """The report cannot be written; the message says why and what to do."""


@dataclass(frozen=True)
class Panel:
    """The plot of one section."""

    section: Section
    svg: Markup


def write(results: Path, output: Path, limit: int = SIZE_LIMIT) -> Path:
    """Write the report of the cells under ``results`` to ``output`` and return its path.

    The page shows fewer examples where all of them would take it above ``limit`` bytes, and
    says so. The same results give the same bytes. Raises ReportError when ``results`` is not a
    folder or ``output`` cannot be written.
    """
    if results.exists() and not results.is_dir():
        raise ReportError(f"{results} is a file; --results must name the folder of stored results.")
    page = _fitting(results, limit)
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
    """The page with as many examples a cell as keep it within ``limit`` bytes."""
    if not results.is_dir():
        return _render("empty.html", {"results": str(results), "exists": False})
    store = ResultStore(results)
    parts = sections(summarise(store))
    served = section.read(SpeedStore(results))
    grown = living.read_living(results)
    ablated = read_ablations(results)
    if not parts and not grown and not served.devices and not ablated.maps:
        return _render("empty.html", {"results": str(results), "exists": True})
    stored = {
        line.anchor: (cell, store.examples(cell.spec.key))
        for part in parts
        for line in part.lines
        if not _stands_in(line, ablated.keys) and (cell := _exemplary(line)) is not None
    }
    panels = tuple(_panel(part, ablated.keys) for part in parts)
    inline = inliner(results / "thumbnails")
    most = max((len(examples) for _, examples in stored.values()), default=0)
    fixed = {
        **_masthead(parts, served, grown),
        **_accuracy(parts, panels, store.skipped()),
        **controls.context(parts, store),
        **living.context(grown),
        **section.context(served),
        **ablations_context(ablated),
        **inside.context(inside.look(_standing(parts, ablated.keys), store)),
        "limit": limit,
    }
    while True:
        albums = {
            anchor: album(cell, examples, most, inline)
            for anchor, (cell, examples) in stored.items()
        }
        page = _render("page.html", {**fixed, **_examples(albums)})
        if len(page) <= limit or most == 0:
            return page
        most = min(most - 1, most * limit // len(page))


def _exemplary(line: Line) -> Cell | None:
    """The cell whose examples stand for the line: its first finished seed."""
    return min(line.done, key=lambda cell: cell.spec.seed, default=None)


def _stands_in(line: Line, keys: frozenset[str]) -> bool:
    """Whether a line is a variant whose place is the ablations' section: it is in the table of
    accuracy too, but not in the plot at the head, nor are its examples shown."""
    return "[" in line.row.retriever.name and all(cell.spec.key in keys for cell in line.row.cells)


def _standing(parts: Sequence[Section], elsewhere: frozenset[str]) -> list[Section]:
    """The sections without the lines whose place is the ablations' section."""
    return [
        replace(part, lines=tuple(line for line in part.lines if not _stands_in(line, elsewhere)))
        for part in parts
    ]


def _panel(part: Section, elsewhere: frozenset[str]) -> Panel:
    bars = [
        Bar(
            units.cut(units.visible(line.label), LABEL),
            {
                name: figure.measure
                for name, figure in zip(METRICS, line.figures, strict=True)
                if figure and name in PLOTTED
            },
        )
        for line in part.lines
        if not _stands_in(line, elsewhere)
    ]
    described = "; ".join(_in_words(bar) for bar in bars)
    title = f"Recall on {units.visible(part.label)}"
    return Panel(part, recall_plot(bars, f"{part.anchor}-plot", title, described + "."))


def _in_words(bar: Bar) -> str:
    if not bar.measures:
        return f"{bar.label}: no result"
    figures = ", ".join(
        f"{name} {units.percent(measure.value)} % "
        f"({units.percent(measure.low)} to {units.percent(measure.high)})"
        for name, measure in bar.measures.items()
    )
    return f"{bar.label}: {figures}"


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


def _accuracy(
    parts: Sequence[Section], panels: Sequence[Panel], skipped: Sequence[Skipped]
) -> dict[str, Any]:
    rows = [line.row for part in parts for line in part.lines]
    return {
        "sections": parts,
        "panels": panels,
        "growths": growths(parts),
        "metrics": METRICS,
        "datasets": tuple(dict.fromkeys(part.dataset for part in parts)),
        "retrievers": tuple(dict.fromkeys(row.name for row in rows)),
        "paradigms": tuple(dict.fromkeys(row.retriever.paradigm for row in rows)),
        "skipped": {part.anchor: _left_out_of(part, skipped) for part in parts},
        "not_run": grouped(skipped),
    }


def _examples(albums: Mapping[str, Album]) -> dict[str, Any]:
    return {
        "albums": albums,
        "examples_shown": sum(book.shown for book in albums.values()),
        "examples_stored": sum(book.stored for book in albums.values()),
    }


def _left_out_of(part: Section, skipped: Sequence[Skipped]) -> list[str]:
    """The retrievers that the last run left out of what this section shows."""
    return [
        each.retriever
        for each in skipped
        if each.retriever and each.dataset == part.dataset and each.protocol in ("", part.protocol)
    ]


def _render(template: str, context: Mapping[str, Any]) -> bytes:
    text = _environment().get_template(template).render(context)
    return text.encode("utf-8", errors="replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=units.percent,
        seconds=units.seconds,
        size=units.size,
        count=units.count,
        figure=units.figure,
        milliseconds=units.milliseconds,
        numbers=numbers,
        moment=units.moment,
        visible=units.visible,
        option=provenance.option,
        diagnosis=provenance.diagnosis,
    )
    environment.tests["untrained"] = untrained
    environment.globals.update(
        chance=units.chance,
        modalities=MODALITIES,
        shared=provenance.shared,
        facts=provenance.FACTS,
        command=lambda cell: cell.command,
    )
    return environment
