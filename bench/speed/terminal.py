"""The sweep's plan and its results as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Group as Together
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.narrow import folded
from bench.speed.cells import Scalar, SpeedCell
from bench.speed.groups import AGAIN, Group, Plan
from bench.speed.pooling import KEPT
from bench.speed.ratios import Ratio, Repeat, RunsOf, comparison, parts
from bench.speed.store import LeftOutRow
from bench.speed.wording import bounds, clock, compact, figure, times
from retrievers.serving.contract import ServedRow

NO_RECALL = (
    "The candidates are drawn and the weights are random: nothing here says how well a row finds."
)
# How a row under "open" names the highest rate that kept within a bound.
BOUNDED = "queries/s with p95"
_NAME, _WIDE_NAME, _FIGURE = 14, 20, 9
# So many sizes stand side by side.
_SIZES = 4


def results(cells: Sequence[SpeedCell], runs_of: RunsOf) -> RenderableType:
    """For each device, scenario and kind of numbers: a table of each size, the sizes side by
    side, and how many times as fast the rows are at the largest."""
    shown = [each for part in parts(cells) for each in _part(part, runs_of)]
    return Together(*shown, *([Text(NO_RECALL)] if cells else []))


def _part(cells: Sequence[SpeedCell], runs_of: RunsOf) -> Iterator[RenderableType]:
    sizes = sorted({cell.spec.candidates for cell in cells})
    for size in sizes:
        yield _size([cell for cell in cells if cell.spec.candidates == size])
    if len(sizes) > 1:
        yield Text("Queries/s by number of candidates", style="bold")
        for first in range(0, len(sizes), _SIZES):
            yield _by_size(cells, sizes[first : first + _SIZES])
    compared = comparison(cells, runs_of)
    if compared.repeat is not None:
        yield Text(_repeated(compared.repeat))
    if compared.ratios:
        yield Text(f"Queries/s at {compared.candidates:,} candidates, with 95 % intervals:")
        yield from (Text(f"  {_ratio(each)}") for each in compared.ratios)
    yield from (Text(line) for line in _weights(cells))
    yield Text()


def _size(cells: Sequence[SpeedCell]) -> RenderableType:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=escape(_title(cells[0])),
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("row", overflow="fold", min_width=_NAME - 1, max_width=_NAME)
    table.add_column("queries/s", justify="right", min_width=_FIGURE)
    table.add_column("ms", justify="right", min_width=_FIGURE)
    table.add_column("ms a query", justify="right", overflow="fold", max_width=16)
    table.add_column("build s", justify="right", overflow="fold", max_width=7)
    table.add_column("bytes\nan item", justify="right", max_width=8)
    table.add_column("agrees", justify="right")
    for cell in cells:
        table.add_row(*_cells(cell))
    return Together(table, *(Text(line) for line in _remarks(cells)))


def _title(cell: SpeedCell) -> str:
    spec = cell.spec
    numbers = "" if spec.numbers == "auto" else f", {spec.numbers}"
    return (
        f"{spec.scenario} on {spec.device}{numbers}, {spec.threads} threads: "
        f"{spec.candidates:,} candidates\n"
        "95 % interval below; ms of a request as p50, p95, p99; ms a query by phase"
    )


def _cells(cell: SpeedCell) -> tuple[str, ...]:
    if cell.throughput is None:
        return (_name(cell), cell.status, *[""] * 5)
    held = cell.memory.get("gallery_bytes")
    return (
        _name(cell),
        f"{figure(cell.throughput.value)}\n{bounds(cell.throughput)}",
        "\n".join(compact(each) for each in cell.latency_ms.values()),
        escape("\n".join(f"{phase} {compact(each)}" for phase, each in cell.phases_ms.items())),
        _built(cell),
        "-" if held is None else compact(held / cell.spec.candidates),
        f"{cell.agreement:.2f}" if cell.checked else "-",
    )


def _name(cell: SpeedCell) -> str:
    """With its marks below it."""
    marks = (
        "extrapolated" if cell.extrapolated else "",
        "unstable" if cell.status == "done" and not cell.steady else "",
    )
    return escape("\n".join(filter(None, (folded(cell.spec.row, _NAME), *marks))))


def _built(cell: SpeedCell) -> str:
    kept = "\nkept" if any(phase.endswith(KEPT) for phase in cell.build) else ""
    return f"{figure(sum(cell.build.values()))}{kept}"


def _remarks(cells: Sequence[SpeedCell]) -> Iterator[str]:
    for cell in cells:
        if cell.status == "failed":
            yield f"{cell.spec.row} failed: {cell.reason}"
        if cell.offered_qps:
            yield f"{cell.spec.row}: asked at {figure(cell.offered_qps)} queries/s"
        for name, value in cell.facts.items():
            if name == "recall@10" or name.startswith(BOUNDED):
                yield f"{cell.spec.row}: {name} {_fact(value)}"


def _weights(cells: Sequence[SpeedCell]) -> Iterator[str]:
    rows: dict[str, dict[str, None]] = {}
    for cell in cells:
        if cell.weights and not cell.spec.row.endswith(AGAIN):
            rows.setdefault(cell.weights, {})[cell.spec.row] = None
    for words, names in rows.items():
        yield f"Weights of {', '.join(names)}: {words}."


def _fact(value: Scalar) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _by_size(cells: Sequence[SpeedCell], sizes: Sequence[int]) -> RenderableType:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("row", overflow="fold", max_width=_WIDE_NAME)
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    found = {(cell.spec.row, cell.spec.candidates): cell for cell in cells}
    for name in dict.fromkeys(cell.spec.row for cell in cells):
        if not name.endswith(AGAIN):
            wide = escape(folded(name, _WIDE_NAME))
            table.add_row(wide, *(_rate(found.get((name, size))) for size in sizes))
    return table


def _rate(cell: SpeedCell | None) -> str:
    if cell is None:
        return ""
    return figure(cell.throughput.value) if cell.throughput else cell.status


def _repeated(again: Repeat) -> str:
    return (
        f"{again.row} once more is {times(again.times)} itself: differences below "
        f"{figure(100 * again.claimable)} % are not claimed."
    )


def _ratio(each: Ratio) -> str:
    if each.told_apart:
        return f"{each.row} is {times(each.times)} {each.other}"
    return f"{each.row} and {each.other} cannot be told apart: {times(each.times)}"


def plan(found: Plan) -> RenderableType:
    """What ``--dry-run`` shows: time and memory of each group and of the whole."""
    if not any(group.action in ("run", "reuse") for group in found.groups):
        return Text("Nothing would run.")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("row", overflow="fold", max_width=_WIDE_NAME)
    table.add_column("candidates", justify="right")
    table.add_column("processes", justify="right")
    table.add_column("time", justify="right")
    table.add_column("memory", justify="right")
    table.add_column("")
    for group in found.groups:
        if group.action in ("run", "reuse"):
            table.add_row(*_planned(group))
    memory = max((group.needs.host_bytes for group in found.running if group.needs), default=0)
    whole = (
        f"In all about {clock(found.seconds)} in {sum(each.repeats for each in found.running)} "
        f"processes, one after another, with at most {memory / 1e9:.1f} GB of memory."
    )
    return Together(table, Text(whole))


def thinned(found: Plan) -> list[str]:
    """What the budget has left of the rows."""
    if not found.thinned:
        return []
    minutes = found.sweep.budget / 60
    return [f"To fit into {minutes:g} minutes (--budget 0 measures all):", *found.thinned]


def _planned(group: Group) -> tuple[str, ...]:
    numbers = "" if group.numbers == "auto" else f", {group.numbers}"
    needs = group.needs
    device = f" + {needs.device_bytes / 1e9:.1f}" if needs and needs.device_bytes else ""
    failed = next((cell.failure for cell in group.cells if cell.failure), "")
    words = "would run again" if failed else "would run"
    return (
        escape(folded(f"{group.row.name}{numbers}", _WIDE_NAME)),
        f"{group.candidates:,}",
        str(group.repeats),
        clock(group.seconds),
        f"{needs.host_bytes / 1e9:.1f}{device} GB" if needs else "",
        words if group.action == "run" else "is stored",
    )


def left_out(rows: Iterable[LeftOutRow]) -> RenderableType:
    """A line for each row and reason."""
    grouped: dict[tuple[str, str], list[int]] = {}
    for each in rows:
        grouped.setdefault((each.row, each.reason), []).append(each.candidates)
    return Together(
        *(
            Text(f"Left out: {name} of {', '.join(f'{size:,}' for size in sizes)}. {reason}")
            for (name, reason), sizes in grouped.items()
        )
    )


def rows(found: Sequence[ServedRow]) -> RenderableType:
    """What ``--list`` shows: each row with how it serves."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for row in found:
        default = "" if row.in_default else "; only where it is named"
        table.add_row(escape(row.name), escape(f"{row.paradigm}; {row.form}{default}"))
    return Together(Text("Rows", style="bold underline"), table, Text())
