"""The living corpus as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.cells import Measure
from bench.growth.protocol import GROUPS
from bench.growth.running import Outcome, in_short
from bench.growth.summary import LivingRow

SAID = {
    "before": "without the added",
    "added": "added, untrained",
    "adapted": "short training",
    "whole": "all indexed anew",
}
METRICS = ("R@1", "R@10")


def results(rows: Sequence[LivingRow]) -> RenderableType:
    """A table a row, with what the figures come to below it."""
    return Group(*(_row(row) for row in rows))


def failures(outcomes: Iterable[Outcome]) -> RenderableType:
    """A line for each cell that failed, with its reason."""
    return Group(*(Text(f"{each.asked.planned.title}: {in_short(each)}") for each in outcomes))


def _row(row: LivingRow) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, title=_title(row), title_justify="left", title_style="bold")
    table.add_column("stage", max_width=17)
    for group in GROUPS:
        for metric in METRICS:
            table.add_column(f"{group} {metric}", justify="right")
    for stage, groups in row.figures.items():
        table.add_row(
            SAID[stage],
            *(
                _figure(groups[group][metric]) if group in groups else "-"
                for group in GROUPS
                for metric in METRICS
            ),
        )
    return Group(table, *(Text(line) for line in conclusions(row)), Text())


def _title(row: LivingRow) -> str:
    synthetic = ", synthetic: not for comparison with published figures" if row.synthetic else ""
    seeds = ",".join(map(str, row.seeds))
    return escape(
        f"{row.retriever} on {row.dataset} ({row.protocol}){synthetic}\n"
        f"{row.items['seen']:,} items indexed, {row.items['added']:,} added later; "
        f"{row.queries['seen']:,} and {row.queries['added']:,} queries; seeds {seeds}; "
        "percent, 95 % interval below"
    )


def conclusions(row: LivingRow) -> Iterable[str]:
    """What the stages come to, a sentence each."""
    for metric in METRICS:
        if metric not in row.restored:
            continue
        share = row.restored[metric]
        if share is None:
            yield f"{metric} of added items: indexing all anew finds no more than adding them."
        else:
            yield (
                f"{metric} of added items: the short training gives {_percent(share)} of what "
                "indexing all anew would."
            )
    if row.forgotten:
        told = ", ".join(f"{metric} {_points(row.forgotten[metric])}" for metric in METRICS)
        yield f"Forgotten of seen items in the short training, points: {told}."
        told = ", ".join(f"{metric} {_points(row.behind[metric])}" for metric in METRICS)
        yield f"Seen items then lie behind indexing all anew by, points: {told}."
    if "adapted" not in row.figures:
        yield "It has no short training: what it adds it finds as it is."
    yield (
        f"After taking the added out again {100 * row.undone:.4g} % of the answers are the very "
        "same as before."
    )
    spent = ", ".join(f"{phase} {seconds:.3g}" for phase, seconds in row.seconds.items())
    yield f"Seconds: {spent}."


def _figure(measure: Measure) -> str:
    return f"{100 * measure.value:.1f}\n{100 * measure.low:.1f}–{100 * measure.high:.1f}"


def _percent(measure: Measure) -> str:
    return f"{100 * measure.value:.0f} % ({100 * measure.low:.0f} to {100 * measure.high:.0f})"


def _points(measure: Measure) -> str:
    return f"{100 * measure.value:.1f} ({100 * measure.low:.1f} to {100 * measure.high:.1f})"
