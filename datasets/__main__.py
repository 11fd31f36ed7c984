"""What data there are, whether they are whole, and twins to keep: ``python -m datasets``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType

from datasets import inspection, registry, terminal
from datasets.assemble import unseen
from datasets.base import DatasetError
from datasets.inspection import Found
from datasets.questions import write_questions
from datasets.registry import Entry
from datasets.twins import making

WHOLE, NOT_WHOLE, USAGE, INTERRUPTED = 0, 1, 2, 130
STATUSES = (
    "Exit status: 0 whole, 1 something is missing or damaged, 2 the command line or the data "
    "cannot be used, 130 interrupted."
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="The datasets: what there is, what each must hold, whether yours are whole, and "
    f"synthetic twins of any size.\n\n{STATUSES}",
)

DataRoot = Annotated[
    Path | None,
    typer.Option(
        envvar="RETRIEVAL_DATA",
        help="Folder that holds the datasets, one folder each.",
        exists=True,
        file_okay=False,
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Workers that decode or draw; default: one a core.", min=1)
]


@app.command("list", epilog=STATUSES)
def list_datasets(data_root: DataRoot = None) -> None:
    """Show every dataset: its modality, its protocols with their variants, and where it is."""
    with _ending("Interrupted."):
        _show(terminal.choices(data_root))


@app.command(epilog=STATUSES)
def show(
    name: Annotated[str, typer.Argument(help="A dataset, e.g. mscoco or mscoco:1k.")],
) -> None:
    """Show the card of a dataset: counts, rules, licence, where to get it, what is looked for."""
    with _ending("Interrupted."):
        _show(terminal.card(registry.card(name)))


@app.command(epilog=STATUSES)
def verify(
    name: Annotated[
        str | None, typer.Argument(help="A dataset, e.g. clotho or mscoco:1k.", show_default=False)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="Your own data instead: CSV or JSONL with id, path, caption and, if wished, "
            "split.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    data_root: DataRoot = None,
    cache: Annotated[
        Path,
        typer.Option(
            envvar="RETRIEVAL_CACHE",
            help="Folder that remembers which files decoded, and where twins are drawn.",
            file_okay=False,
        ),
    ] = Path(".cache"),
    workers: Workers = None,
    annotations_only: Annotated[
        bool, typer.Option("--annotations-only", help="Do not look at the media files.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with every problem, instead of tables.")
    ] = False,
) -> None:
    """Count what a dataset holds against its card and decode every media file once.

    The annotations are counted even where no media file is there. Files that decoded are
    remembered and not decoded again while they are unchanged. A twin that is not in the data
    folder is drawn first, as a benchmark would.
    """
    with _ending("Interrupted. Files that decoded are remembered; the same command continues."):
        found = _found(name, manifest, data_root, cache)
        media = (
            None
            if annotations_only
            else inspection.inspect_media(found, cache=cache, workers=workers)
        )
        verdict = inspection.inspect(found, media)
        if as_json:
            typer.echo(json.dumps(inspection.to_json(verdict), indent=2))
        else:
            _show(terminal.inspection(verdict))
        raise typer.Exit(WHOLE if verdict.whole else NOT_WHOLE)


@app.command(epilog=STATUSES)
def questions(
    name: Annotated[
        str | None, typer.Argument(help="A dataset, e.g. msrvtt or mscoco:1k.", show_default=False)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Your own data instead.", exists=True, dir_okay=False),
    ] = None,
    data_root: DataRoot = None,
    cache: Annotated[
        Path,
        typer.Option(
            envvar="RETRIEVAL_CACHE", help="Folder where twins are drawn.", file_okay=False
        ),
    ] = Path(".cache"),
    output: Annotated[
        Path, typer.Option(help="Folder that the two lists are written to.", file_okay=False)
    ] = Path("questions"),
) -> None:
    """Write what a dataset asks, for systems that run elsewhere.

    items.csv lists the gallery (id, path), queries.csv the texts (id, text). Put the vectors of
    both beside them, in the same order and of length 1, as items.npy and queries.npy, or the score
    of every text for every item as scores.npy [queries, items]; then measure them with
    python -m bench.accuracy --dataset NAME --imported SYSTEM=FOLDER.
    """
    with _ending("Interrupted."):
        found = _found(name, manifest, data_root, cache)
        asked = unseen(found.annotated, found.labels)
        write_questions(asked, output)
        _say(f"{output}: {len(asked.gallery):,} items, {len(asked.queries):,} queries.")


@app.command(epilog=STATUSES)
def make(
    name: Annotated[str, typer.Argument(help="A synthetic twin, e.g. clotho-mini.")],
    items: Annotated[int, typer.Option(help="Items of all splits together.", min=1)],
    seed: Annotated[int, typer.Option(help="Equal seeds draw equal twins.")] = 0,
    output: Annotated[
        Path,
        typer.Option(help="The twin becomes a folder of its name in here.", file_okay=False),
    ] = Path("data"),
    workers: Workers = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say how long it will take and how large it will be."),
    ] = False,
) -> None:
    """Draw a synthetic twin of any size and keep it.

    It is written whole or not at all, and never over anything that is there.
    """
    with _ending("Interrupted. Nothing was kept."):
        twin = _twin(name)
        folder = output / twin.name
        making.refuse_used(folder)
        if dry_run:
            _say(_sentence(making.estimate(twin, items, seed, workers=workers), folder))
            return
        making.make(twin, folder, items, seed, workers=workers)
        use = ["--dataset", twin.name, "--data-root", str(output)]
        _say(f"{twin.name} with {items:,} items is in {folder}. Use it with")
        _say(f"  python -m bench.accuracy {shlex.join(use)}")


@contextmanager
def _ending(interrupted: str) -> Iterator[None]:
    """End the command with a sentence and a status where it cannot be followed."""
    try:
        yield
    except DatasetError as problem:
        _complain(str(problem))
        raise typer.Exit(USAGE) from problem
    except OSError as problem:
        _complain(f"{problem.filename or 'A file'} cannot be used: {problem.strerror or problem}.")
        raise typer.Exit(USAGE) from problem
    except KeyboardInterrupt as stop:
        _complain(interrupted)
        raise typer.Exit(INTERRUPTED) from stop


def _found(name: str | None, manifest: Path | None, root: Path | None, cache: Path) -> Found:
    if name is not None and manifest is None:
        return inspection.find(name, root=root, cache=cache)
    if manifest is not None and name is None:
        return inspection.find_manifest(manifest)
    raise DatasetError("Give either the name of a dataset or --manifest FILE.")


def _twin(name: str) -> Entry:
    """Raises DatasetError for a name that is no twin's, naming the twin that was meant."""
    known = registry.entry(name)
    if not known.synthetic:
        raise DatasetError(f"{known.name} is a real dataset. Did you mean {known.twin}?")
    if name != known.name:
        raise DatasetError(f"A twin has no variants. Did you mean {known.name}?")
    return known


def _sentence(estimate: making.Estimate, folder: Path) -> str:
    return (
        f"{folder} would hold {estimate.items:,} items, about {_size(estimate.bytes)}, and take "
        f"about {_duration(estimate.seconds)}. Nothing was written."
    )


def _size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{max(seconds, 1):.0f} seconds"


def _show(table: RenderableType) -> None:
    Console().print(table)


def _say(sentence: str) -> None:
    Console().print(sentence, markup=False, highlight=False, soft_wrap=True)


def _complain(sentence: str) -> None:
    Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
