"""The CART paper's ablations on any dataset: ``python -m bench.ablation --table 4``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import options
from bench.ablations import planning, terminal, wording
from bench.ablations.evidence import Evidence, evidence
from bench.ablations.maps import FIGURE, MapOutcome, make
from bench.ablations.planning import Base
from bench.ablations.rows_json import results_to_json, tables_to_json
from bench.ablations.runs import Drawn, RunRow, RunStore
from bench.ablations.tables import TABLES, ablation_of
from bench.devices import UnusableDevice
from bench.document import Conclusion
from bench.item_map import NoMap, cohesion, read
from bench.options import ALL_DONE, SOME_FAILED, USAGE, speaker, status_of
from bench.plan import Planned
from bench.report_run import write_ablations, write_report
from bench.request import Request, make_plan, run_options
from bench.rows_json import plan_to_json
from bench.runner import Outcome, run
from bench.selection import UsageError, parse_seeds, split_names
from bench.store import ResultStore
from datasets.base import DatasetError
from retrievers.registry import UnknownRetriever

DEPTHS = (1, 2)

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)
_say = speaker(out, quiet=False)


@dataclass(frozen=True)
class Asked:
    """Which tables, whether the figure, and of what."""

    tables: tuple[int, ...]
    figure: bool
    base: Base


def asked(tables: str, figures: str, everything: bool, retriever: str, effort: float) -> Asked:
    """Check the command line. Raises UsageError, UnknownRetriever."""
    numbers = _numbers("--table", tables, TABLES)
    drawn = _numbers("--figure", figures, (FIGURE,))
    if everything and not numbers and not drawn:
        numbers, drawn = planning.all_tables(), [FIGURE]
    if not numbers and not drawn:
        raise UsageError(
            "Say what to run: --table 4, --figure 5 or --all; --list shows the tables."
        )
    return Asked(tuple(numbers), bool(drawn), planning.base_of(retriever, effort))


def _numbers(option: str, text: str, known: Sequence[int]) -> list[int]:
    names = split_names(text)
    if any(not name.isdecimal() or int(name) not in known for name in names):
        there = ", ".join(map(str, known))
        raise UsageError(f"{option} {text}: give numbers separated by commas, of {there}.")
    return [int(name) for name in names]


def execute(wanted: Asked, request: Request, *, dry_run: bool) -> Conclusion:
    """Plan, and unless it is a dry run: run, show and report."""
    store, records = ResultStore(request.results), RunStore(request.results)
    say = speaker(out, quiet=request.quiet)
    ablations = {ablation_of(table).tables: ablation_of(table) for table in wanted.tables}
    rows = [row for each in ablations.values() for row in planning.rows_of(each, wanted.base)]
    planning.announced(rows, _say)
    names = planning.retrievers_of(rows)
    planned = make_plan(_of(request, names), store, say) if names else []
    mapped = _maps(wanted, request, store, say)
    if dry_run:
        _show_plan(planned, mapped, records)
        return Conclusion(ALL_DONE, "ablation plan", plan_to_json([*planned, *mapped]))
    outcomes = run(planned, run_options(request, planned), say) if planned else []
    runs = planning.runs_of(wanted.tables, wanted.base, planned)
    for each in runs:
        records.write(each)
    drawn = make(mapped, wanted.base, run_options(request, mapped), say) if mapped else []
    tables = [evidence(each, store) for each in runs]
    _show_results(tables, drawn, records)
    files = write_ablations(request.results, out, err)
    report = write_report(request.results, request.report, out, err)
    content = {
        "results": request.results,
        **results_to_json(outcomes, tables, drawn),
        "files": files,
        "report": report,
    }
    written = files is not None and report is not None
    return Conclusion(_status(outcomes, drawn, rows, written), "ablation", content)


def _status(
    outcomes: Sequence[Outcome],
    drawn: Sequence[MapOutcome],
    rows: Sequence[RunRow],
    reported: bool,
) -> int:
    ran = any(each.status != "skipped" for each in outcomes) or any(
        each.drawn or each.ran for each in drawn
    )
    if not ran:
        err.print("Nothing ran: every row was left out, see the reasons above.")
        return USAGE
    failed = any(each.status == "failed" for each in outcomes) or any(row.reason for row in rows)
    lost = any(each.drawn is None for each in drawn)
    return SOME_FAILED if failed or lost or not reported else ALL_DONE


def _of(request: Request, names: Sequence[str], seeds: str | None = None) -> Request:
    return replace(request, retriever=",".join(names), seeds=seeds or request.seeds)


def _maps(
    wanted: Asked, request: Request, store: ResultStore, say: Callable[[str], None]
) -> list[Planned]:
    """A map a dataset, of the first seed."""
    if not wanted.figure:
        return []
    first = str(parse_seeds(request.seeds)[0])
    return make_plan(_of(request, [planning.map_name(wanted.base)], first), store, say)


def _show_plan(planned: Sequence[Planned], mapped: Sequence[Planned], records: RunStore) -> None:
    words = {"run": "would run", "reuse": "is stored, would be reused"}
    for cell in planned:
        _say(f"{cell.title}: {words.get(cell.action, f'{cell.action}: {cell.reason}')}")
    for cell in mapped:
        if cell.spec is None:
            told = f"{cell.action}: {cell.reason}"
        else:
            stored = records.arrays(cell.spec.key).is_file()
            told = words["reuse" if stored else "run"]
        _say(f"Figure {FIGURE} on {cell.dataset}: {told}")


def _show_results(
    tables: Sequence[Evidence], drawn: Sequence[MapOutcome], records: RunStore
) -> None:
    for each in tables:
        out.print(terminal.table(each))
    for outcome in drawn:
        if outcome.drawn is None:
            err.print(f"Figure {FIGURE} on {outcome.dataset}: {outcome.reason}", markup=False)
        else:
            _show_map(outcome.drawn, records)


def _show_map(drawn: Drawn, records: RunStore) -> None:
    points = read(records.arrays(drawn.key))
    _say(wording.figure_title(drawn.of))
    for depth in DEPTHS:
        if depth <= points.prefixes.shape[1]:
            _say(wording.distances(cohesion(points, depth)))
    for line in wording.figure_remarks(points):
        _say(line)


@app.command()
def ablation(
    table: Annotated[
        str,
        typer.Option(
            help="Tables of the paper, separated by commas: 4, 8 or 9 (components), 5 (encoder "
            "layers), 6 (sizes), 7 (length), 10 (decoder layers), 11 (codebook dimension). Which "
            "of 4, 8 and 9 it is follows from the dataset.",
            metavar="N,N",
        ),
    ] = "",
    figure: Annotated[
        str, typer.Option(help="5: the gallery's items by code prefix.", metavar="5")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every table and the figure, on the datasets named.")
    ] = False,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show the tables with what each row changes.")
    ] = False,
    dataset: Annotated[
        str,
        typer.Option(
            help="Datasets, separated by commas; the paper's tables are of flickr30k but for 8 "
            "and 9. python -m bench.accuracy --list shows the names.",
            metavar="NAME,NAME",
        ),
    ] = "",
    retriever: Annotated[
        str,
        typer.Option(
            help="The base that the rows change: cart, a variant of it in quotes, or another "
            "size, as retrievers.cart:CART_512.",
            metavar="NAME",
        ),
    ] = "cart",
    effort: Annotated[
        float,
        typer.Option(
            help="Part of its training that every row is given, above 0 and at most 1: a reduced "
            "run, which the results say.",
            metavar="F",
        ),
    ] = 1.0,
    manifest: options.Manifest = None,
    data_root: options.DataRoot = None,
    checkpoint: Annotated[
        str,
        typer.Option(
            help="The towers that items are embedded by, as "
            "cart.encoder=imagebind:imagebind_huge.pth; default: small ones trained here.",
            metavar="NAME=VALUE,...",
        ),
    ] = "",
    seeds: options.Seeds = "0",
    device: options.Device = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would run, be reused or be skipped, and why; nothing is trained.",
        ),
    ] = False,
    results: options.Results = Path("results"),
    cache: options.Cache = Path(".cache"),
    threads: options.Threads = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Datasets measured side by side, which share the cores.", min=1),
    ] = None,
    report: options.Report = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Run the paper's ablations and say whether their direction is found again.

    Each row is the base with some fields of its config changed, and an ordinary result: stored
    when it is finished, shared between tables and with python -m bench.accuracy, and continued
    when a run that was stopped is started again. A row's difference to CART as a whole is taken
    query by query, and its direction agrees with the published one, contradicts it, or is not
    told apart at this size. Plots and tables go to ablations/ in the folder of results. Exit
    status: 0 all done, 1 some row failed, 2 the command line or the data cannot be used,
    130 interrupted.
    """

    def command() -> Conclusion:
        if show_list:
            out.print(terminal.choices())
            return Conclusion(ALL_DONE, "ablations", tables_to_json())
        if not dataset and manifest is None:
            raise UsageError("Say on what to run: --dataset flickr30k-mini, or --manifest.")
        wanted = asked(table, figure, everything, retriever, effort)
        request = Request(
            dataset=dataset,
            retriever=retriever,
            manifest=manifest,
            data_root=data_root,
            cache=cache,
            results=results,
            checkpoint=checkpoint,
            seeds=seeds,
            device=device,
            threads=threads,
            jobs=jobs,
            quiet=quiet,
            report=report,
        )
        return execute(wanted, request, dry_run=dry_run)

    problems = (UsageError, UnusableDevice, UnknownRetriever, DatasetError, NoMap)
    raise typer.Exit(status_of(command, problems, err, as_json=as_json))


if __name__ == "__main__":
    app()
