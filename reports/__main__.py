"""``python -m reports``: write the HTML report of the stored results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.page import ReportError, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report and print its path as the last line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description=(
            "Write one HTML file that shows the stored results: tables with intervals, plots, "
            "questions with their answers, throughput under load, and what is needed to repeat "
            "every row. The file needs no network and no other file. Nothing is measured or "
            "changed."
        ),
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder of the stored results, as written by python -m bench.accuracy "
        "and python -m bench.throughput (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/html/index.html"),
        metavar="FILE",
        help="HTML file to write; an older one is replaced (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    try:
        path = write(chosen.results, chosen.output)
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
