"""A table as text: CSV of plain numbers, Markdown and LaTeX as it is shown.

Names and captions are anybody's text: none of it is read as a formula by a spreadsheet, as mark-up
by Markdown or as a command by LaTeX, and no unseen character stays unseen.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Final

from reports import units
from reports.exports.table import Entry, Number, Table

# What makes a spreadsheet compute a cell (OWASP, "CSV injection").
FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~#!$])")
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
        # After the end of a row these two would be read as its arguments.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "–": "--",
        "—": "---",
        "−": "$-$",
        "×": r"$\times$",
        "·": r"$\cdot$",
        "∞": r"$\infty$",
        "…": r"\ldots{}",
        "’": "'",
        "↑": r"$\uparrow$",
        "→": r"$\rightarrow$",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
)


def as_csv(table: Table) -> str:
    """Every figure in full precision in a column of its own, empty where there is none."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    lines.writerow(_inert(name) for column in table.columns for name in column.names)
    for row in table.rows:
        lines.writerow(value for entry in row for value in _values(entry))
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """A table as GitHub reads it, with its title and what is to be known of it."""
    bars = "".join("---:|" if column.figures else "---|" for column in table.heads)
    return "\n".join(
        [
            f"# {in_markdown(table.title)}",
            "",
            _row_of((column.label for column in table.heads), in_markdown),
            f"|{bars}",
            *(_row_of((entry.shown for entry in row), in_markdown) for row in table.shown()),
            "",
            *(f"- {in_markdown(line)}" for line in _below(table)),
            "",
        ]
    )


def as_latex(table: Table) -> str:
    """A ``table`` that wants the package booktabs, and no package for its signs."""
    sides = "".join("r" if column.figures else "l" for column in table.heads)
    title, *rest = (_latex(line) for line in (table.title, *_below(table)))
    caption = " ".join([f"{title}.", *rest])
    rows = [" & ".join(_latex(entry.shown) for entry in row) + r" \\" for row in table.shown()]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            " & ".join(_latex(column.label) for column in table.heads) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{caption}}}",
            r"\end{table}",
            "",
        ]
    )


def _values(entry: Entry) -> Iterator[Number | str]:
    yield from entry.figures or (_inert(entry.shown),)


def _inert(text: str) -> str:
    """Text that no spreadsheet computes: an apostrophe is put before what might be a formula."""
    seen = units.visible(text)
    return f"'{seen}" if text.startswith(FORMULA) else seen


def _below(table: Table) -> list[str]:
    return [*table.notes, *([f"Made of {table.provenance}."] if table.provenance else [])]


def _row_of(texts: Iterator[str], escaped: Callable[[str], str]) -> str:
    return f"| {' | '.join(map(escaped, texts))} |"


def in_markdown(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    plain = _in_a_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", plain)


def _latex(text: str) -> str:
    minus = re.sub(r"(?<![\w-])-(?=\d)", "−", _in_a_line(text))
    parted = re.sub("-(?=-)", "-\u2060", minus)
    return "".join(map(_safe, parted.translate(_LATEX)))


def _safe(letter: str) -> str:
    """A sign that pdflatex has without further packages; of another its number."""
    if letter == "\u2060":
        return "{}"  # two dashes are two, and not one that is longer
    if letter.isascii() or ("À" <= letter <= "ÿ" and letter not in "ÐÞðþ÷"):
        return letter
    return f"{{[}}U+{ord(letter):04X}{{]}}"


def _in_a_line(text: str) -> str:
    return " ".join(units.visible(text).split())
