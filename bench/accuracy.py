"""Recall@1/5/10 and MRR@10 of every retriever on every dataset: ``python -m bench.accuracy``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import controls_table, listing, options, terminal
from bench.controls import blocks
from bench.devices import UnusableDevice
from bench.document import Conclusion
from bench.left_out import grouped
from bench.options import ALL_DONE, SOME_FAILED, USAGE, speaker, status_of
from bench.plan import Planned
from bench.report_run import write_report
from bench.request import Request, make_plan, restrictions, run_options
from bench.rows_json import plan_to_json, results_to_json
from bench.runner import Outcome, left_out_of, run, skipped
from bench.selection import UsageError, split_names
from bench.store import ResultStore
from bench.summary import Row, rows_of
from datasets.base import DatasetError
from retrievers.registry import UnknownRetriever

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


def show_plan(planned: Sequence[Planned], in_short: bool) -> None:
    words = {"run": "would run", "reuse": "is stored, would be reused"}
    left_out = [cell for cell in planned if cell.action == "skip"]
    for cell in planned:
        if cell.action != "skip":
            what = words.get(cell.action, f"{cell.action}: {cell.reason}")
            out.print(f"{cell.title}: {what}", markup=False, highlight=False)
    out.print(terminal.left_out(grouped(map(left_out_of, left_out)), in_short))


def show_results(
    outcomes: Sequence[Outcome], rows: Sequence[Row], store: ResultStore, in_short: bool
) -> None:
    out.print(terminal.results(rows))
    out.print(controls_table.results(blocks(rows, store)))
    out.print(terminal.left_out(grouped(skipped(outcomes)), in_short))


def execute(request: Request, *, dry_run: bool) -> Conclusion:
    """Plan, and unless it is a dry run: run, show and report."""
    store = ResultStore(request.results)
    say = speaker(out, quiet=request.quiet)
    # Of retrievers that nobody named, most lack weights: their names are enough.
    in_short = not request.retriever
    planned = make_plan(request, store, say)
    if dry_run:
        show_plan(planned, in_short)
        return Conclusion(ALL_DONE, "accuracy plan", plan_to_json(planned))
    for sentence in restrictions(planned):
        say(sentence)
    outcomes = run(planned, run_options(request, planned), say)
    rows = _rows(outcomes, store)
    ran = [outcome for outcome in outcomes if outcome.status != "skipped"]
    failed = [outcome for outcome in ran if outcome.status == "failed"]
    show_results(failed if request.quiet and ran else outcomes, rows, store, in_short)
    reused = sum(outcome.status == "reused" for outcome in ran)
    if reused:
        say(f"{reused} of {len(ran)} cells were stored already and reused.")
    content = {"results": request.results, **results_to_json(outcomes, rows)}
    if not ran:
        err.print("Nothing ran: every retriever was left out, see the reasons above.")
        return Conclusion(USAGE, "accuracy", {**content, "report": None})
    report = write_report(request.results, request.report, out, err)
    status = SOME_FAILED if failed or not report else ALL_DONE
    return Conclusion(status, "accuracy", {**content, "report": report})


def _rows(outcomes: Sequence[Outcome], store: ResultStore) -> list[Row]:
    keys = {each.planned.spec.key for each in outcomes if each.planned.spec is not None}
    return rows_of(store, [cell for key in keys if (cell := store.get(key)) is not None])


@app.command()
def accuracy(
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every dataset (the real one where it is found, else its synthetic twin) with "
            "every retriever that is ready, unless --dataset or --retriever narrow it. A dataset "
            "that cannot be loaded is listed as failed.",
        ),
    ] = False,
    show_list: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Show the retrievers and datasets with their state; with --retriever all that is "
            "known of those.",
        ),
    ] = False,
    dataset: options.Datasets = "",
    retriever: Annotated[
        str,
        typer.Option(
            help="Retrievers, separated by commas; one of your own as package.module:Object. "
            "CART with other settings as 'cart[model.encoder_layers=5;search.beam=50]', in quotes; "
            "--list --retriever cart shows the fields.",
            metavar="NAME,NAME",
        ),
    ] = "",
    manifest: options.Manifest = None,
    data_root: options.DataRoot = None,
    checkpoint: Annotated[
        str,
        typer.Option(
            help="Pretrained weights: a file, folder or hub id, as clip=default, "
            "imagebind=imagebind_huge.pth, aligned.image=..., or image=... for all that have the "
            "role. Naming a hub id, or default, allows its download; --list shows the names.",
            metavar="NAME=VALUE,...",
        ),
    ] = "",
    imported: Annotated[
        str,
        typer.Option(
            help="Measure vectors or scores that were made elsewhere: the row's name and a folder "
            "with items and queries; python -m datasets questions says what to make them of.",
            metavar="NAME=FOLDER,...",
        ),
    ] = "",
    annotations_only: Annotated[
        bool,
        typer.Option(
            "--annotations-only",
            help="Look for no media file: enough for imported results, and for them alone.",
        ),
    ] = False,
    seeds: options.Seeds = "0",
    device: options.Device = "auto",
    precision: options.Precision = "fp32",
    depth: Annotated[
        str,
        typer.Option(
            help="How many of the first stage's candidates a single tower scores again for each "
            "query: a number, published (as its authors did), or all.",
            metavar="N|published|all",
        ),
    ] = "published",
    train_processes: Annotated[
        int,
        typer.Option(
            help="Processes that train CART together, on a graphics card each where --device is "
            "cuda; needs Accelerate (pip install -e '.[distributed]').",
            min=1,
        ),
    ] = 1,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained",
            help="Run the tiny form of each retriever with random weights: the whole way without "
            "a download. The rows say so, and what they find is chance.",
        ),
    ] = False,
    gallery: Annotated[
        str,
        typer.Option(
            help="How many items are searched, as 1e3,1e4: the test items, and distractors that "
            "answer no query: further items of a twin's generator, drawn once and kept, or those "
            "of --distractors. test is the test items alone, the default; with full all training "
            "and validation items are searched too.",
            metavar="N|test|full,...",
        ),
    ] = "",
    distractors: Annotated[
        Path | None,
        typer.Option(
            help="Manifest of items that fill up a gallery of --gallery; captions and splits "
            "in it are not looked at.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would run, be reused or be skipped, and why. Datasets are read, and "
            "synthetic twins and their further items drawn; nothing is trained.",
        ),
    ] = False,
    skip_bad: options.SkipBad = False,
    results: options.Results = Path("results"),
    cache: options.Cache = Path(".cache"),
    workers: options.Workers = None,
    threads: options.Threads = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Datasets measured side by side, which share the cores; default: 1, with --all "
            "on a CPU one a core. The results say so, since it lengthens their seconds.",
            min=1,
        ),
    ] = None,
    report: options.Report = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure Recall@1/5/10 and MRR@10, with 95 % intervals, and write a report.

    Texts ask for their items, and items for their texts where the retriever can rank texts.
    Every result is stored as it is finished and reused by the next run; a run that was stopped
    continues when it is started again. Exit status: 0 all done, 1 some cell or, with --all, some
    dataset failed, 2 the command
    line or the data cannot be used, 130 interrupted.
    """

    def command() -> Conclusion:
        if show_list:
            names = split_names(retriever)
            found = listing.facts(names, cache) if names else listing.choices(data_root, cache)
            out.print(terminal.choices(found))
            return Conclusion(ALL_DONE, "choices", found)
        if not (everything or dataset or retriever or manifest or imported):
            raise UsageError(
                "Say what to run: --all, or --dataset, --retriever, --manifest or --imported; "
                "--list shows the names, --help all options."
            )
        request = Request(
            everything=everything,
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
            depth=depth,
            untrained=untrained,
            imported=imported,
            annotations_only=annotations_only,
            skip_bad=skip_bad,
            gallery=gallery,
            distractors=distractors,
            train_processes=train_processes,
            workers=workers,
            threads=threads,
            jobs=jobs,
            quiet=quiet,
            report=report,
        )
        return execute(request, dry_run=dry_run)

    problems = (UsageError, UnusableDevice, UnknownRetriever, DatasetError)
    raise typer.Exit(status_of(command, problems, err, as_json=as_json))


if __name__ == "__main__":
    app()
