"""A table as files that are in the page itself: links to data, which need no network."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reports.exports.formats import as_csv, as_latex, as_markdown
from reports.exports.table import Table


@dataclass(frozen=True)
class Format:
    """One way to write a table."""

    label: str
    ending: str
    media_type: str
    written: Callable[[Table], str]


FORMATS = (
    Format("CSV", "csv", "text/csv", as_csv),
    Format("Markdown", "md", "text/markdown", as_markdown),
    Format("LaTeX", "tex", "application/x-tex", as_latex),
)


@dataclass(frozen=True)
class Download:
    """A link: what it is called, the name of the file, and its whole content as a data: URI."""

    label: str
    file: str
    href: str


def downloads(table: Table) -> tuple[Download, ...]:
    """A link a format."""
    return tuple(
        Download(each.label, f"{table.name}.{each.ending}", _data(each, table)) for each in FORMATS
    )


def files(table: Table) -> Mapping[str, bytes]:
    """File name -> content, the same as the links hold."""
    return {f"{table.name}.{each.ending}": each.written(table).encode() for each in FORMATS}


def _data(chosen: Format, table: Table) -> str:
    content = base64.b64encode(chosen.written(table).encode()).decode()
    return f"data:{chosen.media_type};charset=utf-8;base64,{content}"
