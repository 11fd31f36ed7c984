"""A comparison as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.cells import Measure
from bench.comparing import wording
from bench.comparing.outcome import Comparison
from bench.comparing.speed import SpeedCompared
from bench.comparing.verdicts import WORSE, Change, Compared
from bench.speed.wording import figure, times
from bench.unseen import visible

_STYLES = {
    "regression": "bold red",
    "lost": "bold red",
    "failed in B": "bold red",
    "slower": "bold red",
    "improvement": "green",
    "faster": "green",
    "drop within tolerance": "yellow",
}


def results(found: Comparison, *, quiet: bool = False) -> RenderableType:
    """What was compared, a table for each dataset and each load, and the summary.

    quiet  only what is worse, and the summary
    """
    named = list(zip(wording.names(found.rows), found.rows, strict=True))
    shown = [pair for pair in named if not quiet or pair[1].verdict in WORSE]
    speed = found.slower if quiet else found.speed
    return Group(
        *([] if quiet else _head(found)),
        *_tables(shown),
        *_speed_tables(speed),
        *map(_text, wording.summary(found)),
    )


def _head(found: Comparison) -> Iterator[RenderableType]:
    yield _text(f"A  {wording.side(found.before)}")
    yield _text(f"B  {wording.side(found.after)}")
    versions = wording.versions(found)
    if versions:
        yield _text(f"Versions differ: {versions}")
    yield Text()


def _tables(named: Sequence[tuple[str, Compared]]) -> Iterator[RenderableType]:
    for places in wording.grouped([one for _, one in named]).values():
        yield _dataset([named[place] for place in places])


def _dataset(named: Sequence[tuple[str, Compared]]) -> RenderableType:
    first = named[0][1]
    synthetic = ", synthetic" if first.row.synthetic else ""
    title = f"{first.row.dataset} ({first.row.protocol}), {first.direction}{synthetic}"
    table = _table(title)
    table.add_column("row", overflow="fold", min_width=10, max_width=18)
    table.add_column("metric", max_width=7)
    table.add_column("A", justify="right", min_width=5)
    table.add_column("B", justify="right", min_width=5)
    table.add_column("B - A, points", justify="right", min_width=14)
    table.add_column("p", justify="right", min_width=6)
    table.add_column("verdict", max_width=16)
    remarks = []
    for name, one in named:
        for place, change in enumerate(one.changes):
            table.add_row(_text("" if place else name), *_figures(change))
        if not one.changes:
            table.add_row(_text(name), *[Text("-")] * 5, _verdict(one.verdict))
        remarks += [f"{name}: {told}" for told in (one.reason, *one.remarks) if told]
    return Group(table, *map(_text, remarks), Text())


def _figures(change: Change) -> tuple[Text, ...]:
    return (
        Text(change.metric),
        Text(f"{100 * change.before:.1f}"),
        Text(f"{100 * change.after:.1f}"),
        Text("\n".join(wording.points(change.apart))),
        Text(wording.probability(change.adjusted)),
        _verdict(change.verdict),
    )


def _speed_tables(speed: Sequence[SpeedCompared]) -> Iterator[RenderableType]:
    groups: dict[str, list[SpeedCompared]] = {}
    for one in speed:
        groups.setdefault(wording.part(one), []).append(one)
    for title, group in groups.items():
        yield _load(title, group)


def _load(title: str, group: Sequence[SpeedCompared]) -> RenderableType:
    table = _table(f"Queries/s, {title}")
    table.add_column("row", overflow="fold", min_width=10, max_width=18)
    table.add_column("candidates", justify="right")
    for name in ("A", "B"):
        table.add_column(name, justify="right", min_width=6)
    table.add_column("B / A", justify="right", min_width=9)
    table.add_column("verdict", max_width=16)
    remarks = []
    for one in group:
        table.add_row(
            _text(one.row),
            f"{one.candidates:,}",
            _rate(one.before),
            _rate(one.after),
            times(one.times).replace(" ", "\n") if one.times else "-",
            _verdict(one.verdict),
        )
        if one.reason:
            remarks.append(f"{one.row}, {one.candidates:,} candidates: {one.reason}")
    least = {one.least for one in group if one.least is not None}
    if least:
        remarks.append(
            f"Rows measured twice differ from themselves by up to {figure(100 * max(least))} %; "
            "less is not claimed."
        )
    return Group(table, *map(_text, remarks), Text())


def _table(title: str) -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        title=_text(title),
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def _rate(measure: Measure | None) -> str:
    return figure(measure.value) if measure else "-"


def _verdict(verdict: str) -> Text:
    return Text(verdict, style=_STYLES.get(verdict, ""))


def _text(told: str) -> Text:
    """Names and reasons come from files: nothing in them steers the terminal."""
    return Text(visible(told, kept=""))
