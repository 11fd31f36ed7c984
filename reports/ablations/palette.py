"""The colours of a plot: the page's, light or dark, or fixed ones for a file."""

from __future__ import annotations

from dataclasses import dataclass

from reports.inline_svg import FIRST, INK, MUTED, PAPER, RULE, SECOND


@dataclass(frozen=True)
class Palette:
    """What each part is drawn with; ``paper`` is what lies behind."""

    ink: str
    muted: str
    rule: str
    paper: str
    first: str
    second: str


PAGE = Palette(INK, MUTED, RULE, PAPER, FIRST, SECOND)
PRINT = Palette("#1d2024", "#595f67", "#dcdcd4", "#ffffff", "#1a5a9e", "#9a4a12")
