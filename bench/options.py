"""The options that several commands share, and how all of them end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.document import Conclusion, kept_clear, text_of
from retrievers.base import Precision as _Precision

ALL_DONE, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

Datasets = Annotated[
    str,
    typer.Option(
        help="Datasets, separated by commas; a protocol's variant after a colon, as mscoco:1k.",
        metavar="NAME,NAME",
    ),
]
Manifest = Annotated[
    Path | None,
    typer.Option(
        help="Your own data: CSV or JSONL with id, path, caption and, if wished, split.",
        exists=True,
        dir_okay=False,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        envvar="RETRIEVAL_DATA",
        help="Folder that holds the real datasets, one folder each.",
        exists=True,
        file_okay=False,
    ),
]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.", metavar="N,N")]
Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda or cuda:N; auto is CUDA where it can be used.")
]
Precision = Annotated[
    _Precision, typer.Option(help="The numbers that pretrained networks compute in.")
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out media that cannot be read, under a renamed protocol, instead of ending.",
    ),
]
Results = Annotated[Path, typer.Option(help="Folder of the stored results.", file_okay=False)]
Cache = Annotated[
    Path,
    typer.Option(
        envvar="RETRIEVAL_CACHE",
        help="Folder for twins, trained towers, embeddings and all else that can be made again; "
        "may be deleted at any time.",
        file_okay=False,
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Workers that decode media; default: one a core.", min=1)
]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads of each numerical library; default: as they decide.", min=1),
]
Report = Annotated[
    Path | None,
    typer.Option(help="File of the HTML report; default: as python -m reports.", dir_okay=False),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", help="Show nothing but failures, the tables and where the report is."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the results, or with --dry-run the plan, as one JSON document; all else goes "
        "to standard error.",
    ),
]


def speaker(out: Console, *, quiet: bool) -> Callable[[str], None]:
    """Says sentences as they are; with ``--quiet`` none."""

    def say(sentence: str) -> None:
        if not quiet:
            out.print(sentence, markup=False, highlight=False)

    return say


def status_of(
    run: Callable[[], Conclusion],
    problems: tuple[type[Exception], ...],
    err: Console,
    *,
    as_json: bool = False,
) -> int:
    """The exit status of a command: that of its conclusion, or 2 for one of the ``problems``, of
    which the sentence is told, and 130 for an interruption.

    as_json  whether the conclusion's document is all that is written to standard output; there
             is none after a problem or an interruption
    """
    try:
        with kept_clear() if as_json else nullcontext():
            conclusion = run()
    except problems as problem:
        err.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        return USAGE
    except KeyboardInterrupt:
        err.print("Interrupted. What was finished is stored; the same command continues.")
        return INTERRUPTED
    if as_json:
        print(text_of(conclusion))
    return conclusion.status
