"""What is found of items that came after the gallery was indexed: ``python -m bench.living``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.devices import UnusableDevice
from bench.growth import terminal
from bench.growth.results import LivingStore
from bench.growth.running import Running, asked, run
from bench.growth.summary import rows
from bench.report_run import write_report
from bench.request import Request, make_plan, restrictions
from bench.selection import UsageError
from bench.store import ResultStore
from datasets.base import DatasetError
from retrievers.base import Precision
from retrievers.registry import UnknownRetriever

ALL_DONE, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


def execute(request: Request, running: Running, *, dry_run: bool) -> int:
    """Plan, and unless it is a dry run: run, show and report. Returns the exit status."""

    def say(sentence: str) -> None:
        if not request.quiet:
            out.print(sentence, markup=False, highlight=False, soft_wrap=True)

    planned = make_plan(request, ResultStore(request.results), say)
    cells = asked(planned, running.share, LivingStore(request.results))
    if dry_run:
        for cell in cells:
            out.print(f"{cell.planned.title}: {cell.state}", markup=False, highlight=False)
        return ALL_DONE
    for sentence in restrictions(planned):
        say(sentence)
    done, failed = run(cells, running, say)
    out.print(terminal.results(rows(done)))
    if not done and not failed:
        err.print("Nothing ran: every retriever was left out, see the reasons above.")
        return USAGE
    reported = write_report(request.results, request.report, out, err)
    return SOME_FAILED if failed or not reported else ALL_DONE


@app.command()
def living(
    dataset: Annotated[
        str,
        typer.Option(
            help="Datasets, separated by commas; a protocol's variant after a colon, as mscoco:1k.",
            metavar="NAME,NAME",
        ),
    ] = "",
    retriever: Annotated[
        str,
        typer.Option(
            help="Retrievers whose gallery can change, separated by commas; one of your own as "
            "package.module:Object.",
            metavar="NAME,NAME",
        ),
    ] = "cart,tiny-dual",
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="Your own data: CSV or JSONL with id, path, caption and, if wished, split.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(
            envvar="RETRIEVAL_DATA",
            help="Folder that holds the real datasets, one folder each.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
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
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:N; auto is CUDA where it can be used.")
    ] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="The numbers that pretrained networks compute in.")
    ] = "fp32",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, be reused or left out, and why.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Leave out media that cannot be read, under a renamed protocol, instead of "
            "ending.",
        ),
    ] = False,
    results: Annotated[
        Path, typer.Option(help="Folder of the stored results.", file_okay=False)
    ] = Path("results"),
    cache: Annotated[
        Path,
        typer.Option(
            envvar="RETRIEVAL_CACHE",
            help="Folder for twins, trained towers and embeddings; may be deleted at any time.",
            file_okay=False,
        ),
    ] = Path(".cache"),
    workers: Annotated[
        int | None, typer.Option(help="Workers that decode media; default: one a core.", min=1)
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of each numerical library; default: as they decide.", min=1),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="File of the HTML report; default: as python -m reports.", dir_okay=False
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show the tables and the report's path alone.")
    ] = False,
) -> None:
    """Hold out a share of the gallery, index the rest, add the share, and see what is found.

    Texts about the items that were there and about those that came later ask the whole gallery:
    when the share was only added, after a short training on what a captioner says of it where the
    retriever has one, and when everything is indexed anew. Intervals are of items, drawn again.
    Every result is stored as it is finished and reused by the next run. Exit status: 0 all done,
    1 something failed, 2 the command line or the data cannot be used, 130 interrupted.
    """
    try:
        if not (dataset or manifest):
            raise UsageError("Say what to run on: --dataset or --manifest; --help all options.")
        if not 0 < share < 1:
            raise UsageError(f"--share {share:g}: give a share between 0 and 1, e.g. 0.1.")
        request = Request(
            everything=False,
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
            depth="published",
            untrained=False,
            imported="",
            annotations_only=False,
            skip_bad=skip_bad,
            workers=workers,
            threads=threads,
            jobs=1,
            quiet=quiet,
            report=report,
        )
        status = execute(request, Running(results, share, threads, quiet), dry_run=dry_run)
    except (UsageError, UnusableDevice, UnknownRetriever, DatasetError) as problem:
        err.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        status = USAGE
    except KeyboardInterrupt:
        err.print("Interrupted. What was finished is stored; the same command continues.")
        status = INTERRUPTED
    raise typer.Exit(status)


if __name__ == "__main__":
    app()
