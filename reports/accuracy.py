"""Accuracy: a section a dataset, and all of them at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.averages import METRICS as AVERAGED
from bench.averages import averages
from bench.left_out import grouped
from bench.published import printed
from bench.store import Skipped
from reports import units
from reports.comparison import Section
from reports.figures import METRICS
from reports.gallery_sizes import growths
from reports.plot import Bar, bars_of, recall_plot


@dataclass(frozen=True)
class Panel:
    """The plot of one section."""

    section: Section
    svg: Markup


def context(parts: Sequence[Section], skipped: Sequence[Skipped]) -> dict[str, Any]:
    """What the templates of the datasets' sections want."""
    rows = [line.row for part in parts for line in part.lines]
    return {
        "sections": parts,
        "panels": tuple(map(_panel, parts)),
        "averages": averages(rows),
        "averaged": AVERAGED,
        "printed": {part.anchor: printed(part.dataset) for part in parts},
        "growths": growths(parts),
        "metrics": METRICS,
        "datasets": tuple(dict.fromkeys(part.dataset for part in parts)),
        "retrievers": tuple(dict.fromkeys(row.name for row in rows)),
        "paradigms": tuple(dict.fromkeys(row.retriever.paradigm for row in rows)),
        "skipped": {part.anchor: _left_out_of(part, skipped) for part in parts},
        "not_run": grouped(skipped),
    }


def _panel(part: Section) -> Panel:
    bars = bars_of(part)
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


def _left_out_of(part: Section, skipped: Sequence[Skipped]) -> list[str]:
    """The retrievers that the last run left out of what this section shows."""
    return [
        each.retriever
        for each in skipped
        if each.retriever and each.dataset == part.dataset and each.protocol in ("", part.protocol)
    ]
