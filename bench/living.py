"""What is found of items that came after the gallery was indexed: ``python -m bench.living``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import options
from bench.devices import UnusableDevice
from bench.document import Conclusion
from bench.growth import terminal
from bench.growth.results import LivingStore
from bench.growth.rows_json import plan_to_json, results_to_json
from bench.growth.running import Running, asked, in_short, run
from bench.growth.summary import rows
from bench.options import ALL_DONE, SOME_FAILED, USAGE, speaker, status_of
from bench.report_run import write_report
from bench.request import Request, make_plan, restrictions
from bench.selection import UsageError
from bench.store import ResultStore
from datasets.base import DatasetError
from retrievers.registry import UnknownRetriever

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


def execute(request: Request, running: Running, *, dry_run: bool) -> Conclusion:
    """Plan, and unless it is a dry run: run, show and report."""
    say = speaker(out, quiet=request.quiet)
    planned = make_plan(request, ResultStore(request.results), say)
    cells = asked(planned, running.share, LivingStore(request.results))
    if dry_run:
        for cell in cells:
            out.print(f"{cell.planned.title}: {cell.state}", markup=False, highlight=False)
        return Conclusion(ALL_DONE, "living plan", plan_to_json(cells))
    for sentence in restrictions(planned):
        say(sentence)
    outcomes = run(cells, running, say)
    found = rows([each.result for each in outcomes if each.result is not None])
    failed = [each for each in outcomes if each.status == "failed"]
    out.print(terminal.results(found))
    out.print(terminal.failures(failed))
    content = {"results": request.results, **results_to_json(outcomes, found)}
    if not found and not failed:
        err.print("Nothing ran: every retriever was left out.")
        for each in outcomes:
            err.print(f"{each.asked.planned.title}: {in_short(each)}", markup=False)
        return Conclusion(USAGE, "living", {**content, "report": None})
    report = write_report(request.results, request.report, out, err)
    status = SOME_FAILED if failed or not report else ALL_DONE
    return Conclusion(status, "living", {**content, "report": report})


@app.command()
def living(
    dataset: options.Datasets = "",
    retriever: Annotated[
        str,
        typer.Option(
            help="Retrievers whose gallery can change, separated by commas; one of your own as "
            "package.module:Object.",
            metavar="NAME,NAME",
        ),
    ] = "cart,tiny-dual",
    manifest: options.Manifest = None,
    data_root: options.DataRoot = None,
    share: Annotated[
        float, typer.Option(help="Share of the gallery that comes later.", min=0.0, max=1.0)
    ] = 0.1,
    checkpoint: Annotated[
        str,
        typer.Option(
            help="Pretrained weights, as in python -m bench.accuracy.", metavar="NAME=VALUE,..."
        ),
    ] = "",
    seeds: Annotated[
        str,
        typer.Option(
            help="Seeds, separated by commas; each draws other items to come later.", metavar="N,N"
        ),
    ] = "0",
    device: options.Device = "auto",
    precision: options.Precision = "fp32",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, be reused or left out, and why.")
    ] = False,
    skip_bad: options.SkipBad = False,
    results: options.Results = Path("results"),
    cache: options.Cache = Path(".cache"),
    workers: options.Workers = None,
    threads: options.Threads = None,
    report: options.Report = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Hold out a share of the gallery, index the rest, add the share, and see what is found.

    Texts about the items that were there and about those that came later ask the whole gallery:
    when the share was only added, after a short training on what a captioner says of it where the
    retriever has one, and when everything is indexed anew. Intervals are of items, drawn again.
    Every result is stored as it is finished and reused by the next run. Exit status: 0 all done,
    1 something failed, 2 the command line or the data cannot be used, 130 interrupted.
    """

    def command() -> Conclusion:
        if not (dataset or manifest):
            raise UsageError("Say what to run on: --dataset or --manifest; --help all options.")
        if not 0 < share < 1:
            raise UsageError(f"--share {share:g}: give a share between 0 and 1, e.g. 0.1.")
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
            precision=precision,
            skip_bad=skip_bad,
            workers=workers,
            threads=threads,
            jobs=1,
            quiet=quiet,
            report=report,
        )
        return execute(request, Running(results, share, threads, quiet), dry_run=dry_run)

    problems = (UsageError, UnusableDevice, UnknownRetriever, DatasetError)
    raise typer.Exit(status_of(command, problems, err, as_json=as_json))


if __name__ == "__main__":
    app()
