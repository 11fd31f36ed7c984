"""The colours of a plot: the page's, light or dark, or fixed ones for a file."""

from __future__ import annotations

from dataclasses import dataclass

from reports.inline_svg import FIRST, INK, MUTED, PAPER, RULE, SECOND
from reports.inline_svg import PRINT as PRINTED


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
PRINT = Palette(*(PRINTED[each] for each in (INK, MUTED, RULE, PAPER, FIRST, SECOND)))
