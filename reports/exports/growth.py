"""The tables of galleries that grow: by size, and of a living corpus."""

from __future__ import annotations

from collections.abc import Mapping

from bench.files import file_stem
from bench.growth.protocol import GROUPS
from bench.growth.summary import LivingRow
from bench.growth.terminal import METRICS, SAID, conclusions
from reports import units
from reports.exports.accuracy import INTERVALS, SYNTHETIC
from reports.exports.origin import origin
from reports.exports.table import (
    Column,
    Entry,
    Table,
    hidden,
    in_percent,
    number,
    percent,
    with_interval,
    words,
)
from reports.gallery_sizes import SHOWN, Grown, Growth

CHANCE, NO_MISTAKES = "chance", "no mistakes"


def sizes(growth: Growth) -> Table:
    """Recall in galleries of several sizes, with chance and a reader without mistakes."""
    columns = (
        Column("Retriever"),
        Column("Gallery", ("gallery items",)),
        *map(with_interval, SHOWN),
        Column("Identifiers", ("collision ceiling",)),
        Column("Indexing", ("indexing seconds",)),
        *hidden("protocol"),
    )
    measured = [_grown(growth, one, size) for one in growth.retrievers for size in one.lines]
    bounds = [_chance(size) for size in growth.sizes]
    bounds += [_bound(NO_MISTAKES, size, told) for size, told in growth.ceilings.items()]
    cells = [cell for one in growth.retrievers for line in one.lines.values() for cell in line.done]
    warnings = (
        (
            f"{', '.join(growth.mixed)}: measured with different versions of the source or other "
            "options from size to size.",
        )
        if growth.mixed
        else ()
    )
    return Table(
        file_stem(f"sizes-{growth.dataset}-{growth.protocol}-{growth.others}"),
        f"Recall by the size of the gallery on {growth.dataset}, filled with {growth.others}",
        columns,
        (*measured, *bounds),
        (INTERVALS, *([SYNTHETIC] if growth.synthetic else []), *warnings),
        origin(cells),
        tuple(cell.spec.key for cell in cells),
    )


def living(row: LivingRow) -> Table:
    """What is found at each stage, of what was there and of what came later."""
    columns = (
        Column("Stage"),
        *(with_interval(f"{group}, {metric}") for group in GROUPS for metric in METRICS),
    )
    rows = tuple(
        (
            words(SAID[stage]),
            *(
                percent(groups[group][metric] if group in groups else None)
                for group in GROUPS
                for metric in METRICS
            ),
        )
        for stage, groups in row.figures.items()
    )
    told = (
        f"{units.count(row.items['seen'])} items indexed, {units.count(row.items['added'])} added "
        f"later; seeds {', '.join(map(str, row.seeds))}."
    )
    synthetic = (SYNTHETIC,) if row.synthetic else ()
    return Table(
        file_stem(f"living-{row.dataset}-{row.protocol}-{row.retriever}-{row.share:g}"),
        f"A living corpus: {row.retriever} on {row.dataset}",
        columns,
        rows,
        (INTERVALS, told, *synthetic, *conclusions(row), *row.notes),
        origin(row.results),
        tuple(result.spec.key for result in row.results),
    )


def _grown(growth: Growth, one: Grown, size: int) -> tuple[Entry, ...]:
    line, collisions = one.lines[size], one.collisions(size)
    return (
        words(one.label),
        number(size, units.count(size)),
        *(percent(one.measure(size, metric)) for metric in SHOWN),
        number(
            None if collisions is None else in_percent(collisions),
            "" if collisions is None else units.percent(collisions),
        ),
        number(line.index_seconds, units.seconds(line.index_seconds)),
        words(growth.sections[size].protocol),
    )


def _chance(size: int) -> tuple[Entry, ...]:
    shares = {metric: int(metric.removeprefix("R@")) / size for metric in SHOWN}
    return _bound(CHANCE, size, {metric: min(1.0, share) for metric, share in shares.items()})


def _bound(name: str, size: int, shares: Mapping[str, float]) -> tuple[Entry, ...]:
    """A line without intervals."""
    return (
        words(name),
        number(size, units.count(size)),
        *(
            Entry(units.percent(shares[metric]), (in_percent(shares[metric]), None, None))
            if metric in shares
            else percent(None)
            for metric in SHOWN
        ),
        number(None, ""),
        number(None, ""),
        words(""),
    )
