"""``python -m reports.ablations``: the ablations' plots and tables as files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.ablations.runs import FOLDER
from reports.ablations.files import write_files
from reports.ablations.section import read_ablations


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and print their folder as the last line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.ablations",
        description=(
            "Write each stored table of python -m bench.ablation as CSV, Markdown and LaTeX, and "
            "each plot as SVG and PNG. Nothing is measured or changed."
        ),
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder of the stored results (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"folder to write to (default: {FOLDER} in the folder of results)",
    )
    chosen = parser.parse_args(arguments)
    folder = chosen.output or chosen.results / FOLDER
    found = read_ablations(chosen.results)
    if not found.tables and not found.maps:
        print(f"{chosen.results} holds no ablation; run python -m bench.ablation.", file=sys.stderr)
        return 1
    try:
        write_files(found, folder)
    except OSError as error:
        print(f"{folder} cannot be written: {error.strerror or error}.", file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
