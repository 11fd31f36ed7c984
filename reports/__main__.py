"""``python -m reports``: write the HTML report of the stored results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.exports.writing import exports_of, write_exports
from reports.page import SIZE_LIMIT, ReportError, page_of, put, read_folder
from reports.reading import Reading

PAGE = Path("reports/html/index.html")
EXPORTS = "exports"


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
        default=PAGE,
        metavar="FILE",
        help="HTML file to write; an older one is replaced (default: %(default)s)",
    )
    parser.add_argument(
        "--megabytes",
        type=float,
        default=SIZE_LIMIT / 1e6,
        metavar="N",
        help="largest size of the page; fewer queries can be looked at where all of them would "
        "take it above that, and the page says so (default: %(default)g)",
    )
    exports = parser.add_mutually_exclusive_group()
    exports.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="folder for every table as CSV, Markdown and LaTeX and every plot as SVG and PNG "
        f"(default: {EXPORTS} beside the page, where that is in its default place)",
    )
    exports.add_argument("--no-export", action="store_true", help="write the page alone")
    chosen = parser.parse_args(arguments)
    folder = chosen.export or (PAGE.parent / EXPORTS if chosen.output == PAGE else None)
    limit = round(1e6 * chosen.megabytes)
    try:
        found = read_folder(chosen.results)
        path = put(page_of(found, chosen.results, limit), chosen.output)
        if folder is not None and not chosen.no_export:
            print(exported(found, folder))
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


def exported(found: Reading, folder: Path) -> Path:
    """Write the tables and plots; returns their index. Raises ReportError where that fails."""
    try:
        return write_exports(exports_of(found), folder)
    except OSError as error:
        raise ReportError(
            f"The tables and plots could not be written to {folder}: {error.strerror or error}. "
            "Name a place that can be written with --export, or leave them out with --no-export."
        ) from error


if __name__ == "__main__":
    raise SystemExit(main())
