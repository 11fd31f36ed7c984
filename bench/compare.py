"""Did a change make it worse? Two result sets, or two revisions: ``python -m bench.compare``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.comparing import terminal
from bench.comparing.accuracy import asked_metrics
from bench.comparing.document import document
from bench.comparing.outcome import Comparison, NothingToCompare, comparison
from bench.comparing.sides import NoSide, Side, folder, revisions
from bench.document import Conclusion
from bench.options import USAGE, status_of
from bench.report_run import write_comparison
from bench.selection import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


def sides(before: str, after: str, results: Path | None) -> tuple[Side, Side]:
    """The two that are compared. Raises NoSide."""
    if results is None:
        return folder(Path(before)), folder(Path(after))
    first, second = revisions(results, (before, after))
    return first, second


def conclude(found: Comparison, *, as_json: bool, page: Path | None, quiet: bool) -> Conclusion:
    """Print the comparison unless its document is asked for, and write its page."""
    told = document(found)
    if not as_json:
        out.print(terminal.results(found, quiet=quiet))
    written = page is None or write_comparison(told, page, err if as_json else out, err)
    return Conclusion(found.status if written else USAGE, "comparison", told)


@app.command()
def compare(
    before: Annotated[
        str, typer.Argument(metavar="A", help="Results to hold against: a folder, or a revision.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="Results that may be worse: as A.")],
    results: Annotated[
        Path | None,
        typer.Option(
            help="A and B are git revisions whose results are in this folder: hashes, or the "
            "start of one; with +changes those of a tree that was not clean.",
            metavar="DIR",
            file_okay=False,
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(help="What is tested.", metavar="R@1|R@5|R@10|MRR@10|all"),
    ] = "R@1",
    tolerance: Annotated[
        float,
        typer.Option(
            help="Points: a significant drop that is smaller is told but is no regression.",
            min=0.0,
        ),
    ] = 0.0,
    speed: Annotated[
        bool, typer.Option("--speed", help="A slow-down makes B worse too, not accuracy alone.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON document and nothing else (bench/comparing/schema.json).",
        ),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", help="Write a page of its own too.", metavar="FILE", dir_okay=False),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show only what is worse, and the summary.")
    ] = False,
) -> None:
    """Say whether B is worse than A, row by row.

    Rows are one by dataset, protocol, retriever and checkpoint, and are compared where both were
    asked the same queries of the same data: differences are paired by query, tested by sign flips
    of items, and p-values adjusted by Holm over all comparisons of the run. Queries a second are
    compared where both sides ran on one machine. Nothing is measured or changed.

    Exit status: 0 nothing is significantly worse; 1 a significant regression, a row that B lost
    or that newly failed there, or with --speed a slow-down (what B lost of a sweep is only told);
    2 the command line cannot be used or there is nothing to compare. Between revisions of one
    folder a row that B did not measure again is not lost, since what its code does not change is
    reused.
    """

    def command() -> Conclusion:
        if not math.isfinite(tolerance):
            raise UsageError(f"--tolerance {tolerance}: give points, e.g. 0.5.")
        try:
            metrics = asked_metrics(metric)
        except ValueError as problem:
            raise UsageError(str(problem)) from problem
        found = comparison(
            *sides(before, after, results), metrics, tolerance / 100, with_speed=speed
        )
        return conclude(found, as_json=as_json, page=page, quiet=quiet)

    raise typer.Exit(
        status_of(command, (UsageError, NoSide, NothingToCompare), err, as_json=as_json)
    )


if __name__ == "__main__":
    app()
