"""Queries a second of every paradigm under the same load: ``python -m bench.throughput``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import options
from bench.devices import UnusableDevice
from bench.document import Conclusion
from bench.options import ALL_DONE, SOME_FAILED, USAGE, speaker, status_of
from bench.report_run import write_report
from bench.selection import UsageError
from bench.speed import terminal
from bench.speed.groups import Plan
from bench.speed.plan import make_plan
from bench.speed.request import Sweep, checked, parse_rows
from bench.speed.rows_json import plan_to_json, results_to_json
from bench.speed.runner import Outcome, run
from bench.speed.store import Busy, SpeedStore
from bench.speed.wording import clock
from retrievers.serving.rows import ROWS, UnknownRow

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


def execute(
    sweep: Sweep, *, results: Path, report: Path | None, dry_run: bool, quiet: bool
) -> Conclusion:
    """Plan, and unless it is a dry run: measure, show and report."""
    store = SpeedStore(results)
    say = speaker(out, quiet=quiet)
    plan = make_plan(sweep, store, say)
    if dry_run:
        _show_plan(plan)
        return Conclusion(ALL_DONE, "throughput plan", plan_to_json(plan))
    for sentence in terminal.thinned(plan):
        say(sentence)
    if plan.running:
        say(f"About {clock(plan.seconds)} for what is not stored yet.")
    outcomes, left_out = run(plan, store, say, console=err, shown=not quiet and err.is_terminal)
    cells = [cell for each in outcomes if (cell := store.get(each.spec.key)) is not None]
    broken = plan.broken()
    out.print(terminal.results(cells, store.runs))
    out.print(terminal.left_out(broken if quiet and outcomes else left_out))
    for sentence in (*terminal.thinned(plan), *_reused(outcomes)):
        say(sentence)
    content = {"results": results, **results_to_json(cells, outcomes, left_out, plan, store.runs)}
    if not outcomes:
        err.print("Nothing ran: every row was left out, see the reasons above.")
        return Conclusion(USAGE, "throughput", {**content, "report": None})
    written = write_report(results, report, out, err)
    failed = broken or any(outcome.status == "failed" for outcome in outcomes)
    status = SOME_FAILED if failed or not written else ALL_DONE
    return Conclusion(status, "throughput", {**content, "report": written})


def _show_plan(plan: Plan) -> None:
    out.print(terminal.plan(plan))
    for sentence in terminal.thinned(plan):
        out.print(sentence, markup=False, highlight=False)
    out.print(terminal.left_out(plan.left_out()))


def _reused(outcomes: Sequence[Outcome]) -> Iterator[str]:
    reused = sum(outcome.status == "reused" for outcome in outcomes)
    if reused == len(outcomes) and reused:
        yield f"All {reused} results were stored already and reused."
    elif reused:
        yield (
            f"{reused} of {len(outcomes)} results were stored already and reused: measured at "
            "another time than the rest."
        )


@app.command()
def throughput(
    show_list: Annotated[
        bool, typer.Option("--list", help="Show the rows, each with how it serves.")
    ] = False,
    retriever: Annotated[
        str,
        typer.Option(
            help="Rows, separated by commas: a system for its default forms, as clip, or one form, "
            "as clip:exact; one of your own as package.module:Object. --list shows the names.",
            metavar="NAME,NAME",
        ),
    ] = "",
    candidates: Annotated[
        str,
        typer.Option(
            help="Sizes of the gallery, separated by commas, as 1e3 or 50000.", metavar="N,N"
        ),
    ] = "1e3,1e4,1e5,1e6",
    scenario: Annotated[
        str,
        typer.Option(
            help="closed-100 (always 100 single requests outstanding), burst-100 (100 at once, "
            "then again), open (Poisson arrivals at 0.7 of the capacity, timed from the intended "
            "start), batch-100 (one call with 100 texts), or all.",
            metavar="NAME,NAME",
        ),
    ] = "closed-100",
    dtype: Annotated[
        str,
        typer.Option(
            help="Numbers to compute in, separated by commas: auto, fp32, bf16, fp16, int8; auto "
            "is the fastest that the device computes without rounding to whole numbers.",
            metavar="KIND,KIND",
        ),
    ] = "auto",
    device: options.Device = "auto",
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of each numerical library; default: one a core.", min=1),
    ] = None,
    repeat: Annotated[int, typer.Option(help="Fresh processes of each result.", min=1)] = 2,
    seconds: Annotated[
        float,
        typer.Option(
            help="How long a scenario is timed, at least; it goes on until the rate is steady, at "
            "most four times as long.",
            min=0.1,
        ),
    ] = 5.0,
    k: Annotated[int, typer.Option(help="How many candidates each answer holds.", min=1)] = 10,
    latency_ms: Annotated[
        float,
        typer.Option(
            help="With open: also find the highest rate whose p95 stays within so many "
            "milliseconds; 0 finds none.",
            min=0,
        ),
    ] = 0.0,
    budget: Annotated[
        float,
        typer.Option(
            help="Minutes that the whole may take by its estimate. Above that, rows that take long "
            "are measured at the smallest and the largest size, once, or the largest alone, and "
            "those that were not named may be left out; the output says which. 0 measures all.",
            min=0,
        ),
    ] = 16.0,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be measured with an estimate of time and memory, what is stored, "
            "and what is left out and why; nothing is built.",
        ),
    ] = False,
    results: options.Results = Path("results"),
    cache: options.Cache = Path(".cache"),
    report: options.Report = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure queries a second and latencies of each row over drawn candidates.

    A row is the query side of a retriever at full size with random weights. All rows answer
    through one front end with one dynamic batcher; what asks is a process of its own, and each
    result is measured by several fresh processes in the order A B B A. A result is a matter of
    its machine: compare rows of one sweep. Each process is stored as it
    ends; a sweep that was stopped continues when it is started again. Exit status: 0 all done,
    1 some row failed, 2 the command line cannot be used or every row was left out,
    130 interrupted.
    """

    def command() -> Conclusion:
        if show_list:
            names = {asked.row.name for asked in parse_rows(retriever)} if retriever else None
            shown = [row for row in ROWS if names is None or row.name in names]
            out.print(terminal.rows(shown))
            return Conclusion(ALL_DONE, "rows", {"rows": [asdict(row) for row in shown]})
        sweep = checked(
            retriever=retriever,
            scenario=scenario,
            candidates=candidates,
            dtype=dtype,
            device=device,
            threads=threads,
            repeat=repeat,
            seconds=seconds,
            k=k,
            budget=budget,
            latency_ms=latency_ms,
            cache=cache,
        )
        return execute(sweep, results=results, report=report, dry_run=dry_run, quiet=quiet)

    problems = (UsageError, UnusableDevice, UnknownRow, Busy)
    raise typer.Exit(status_of(command, problems, err, as_json=as_json))


if __name__ == "__main__":
    app()
