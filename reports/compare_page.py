"""``python -m reports.compare_page``: the page of one comparison, from its JSON document."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from reports.page import ReportError, put
from reports.rendering import render

SCHEMA = 1


def write(document: Mapping[str, Any], output: Path) -> Path:
    """Write the page of a document of ``python -m bench.compare --json``; returns its path.

    Raises ReportError for another document, and where ``output`` cannot be written.
    """
    if document.get("schema") != SCHEMA:
        raise ReportError(
            f"The comparison's schema is {document.get('schema')!r}, this program reads {SCHEMA}. "
            "Write it again with python -m bench.compare --json."
        )
    page = render(
        "compare.html",
        {
            **document,
            "groups": [
                list(rows)
                for _, rows in groupby(
                    document["rows"],
                    lambda row: (row["dataset"], row["protocol"], row["direction"]),
                )
            ],
            "loads": [list(points) for _, points in groupby(document["speed"], _place)],
        },
        ("copy",),
    )
    return put(page, output)


def _place(point: Mapping[str, Any]) -> str:
    return str(point["place"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and print its path as the last line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.compare_page",
        description=(
            "Write one HTML file from the document that python -m bench.compare --json prints, "
            "read from standard input. The file needs no network and no other file."
        ),
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/html/compare.html"),
        metavar="FILE",
        help="HTML file to write; an older one is replaced (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    try:
        path = write(json.load(sys.stdin), chosen.output)
    except json.JSONDecodeError as error:
        print(f"Standard input is not a JSON document: {error}.", file=sys.stderr)
        return 1
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
