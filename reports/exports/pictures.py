"""A figure as files that stand by themselves: SVG whose text stays text, and PNG, on white."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable

import matplotlib
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from reports.inline_svg import INK, MUTED, PRINT, quiet_fonts

DOTS_PER_INCH = 200
WHITE = "#ffffff"
# What stands above a plot.
LINE_INCHES, GAP_INCHES = 0.17, 0.08
# Letters that fit in an inch, times their size.
LETTERS_POINTS = 130
# What an artist may be coloured by; not every kind of artist has each.
_PARTS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
_FONTS = ["Helvetica", "Arial", "DejaVu Sans"]


def for_print(figure: Figure) -> Figure:
    """The same figure in the colours of print; those that the page puts in itself are replaced."""
    for artist in figure.findobj():
        for part in _PARTS:
            _recolour(artist, part)
    figure.patch.set_facecolor(WHITE)
    figure.patch.set_alpha(1.0)
    return figure


def labelled(figure: Figure, title: str, key: str) -> Figure:
    """The same figure with its title above it and, below that, what its marks mean."""
    inch = 1 / figure.get_figheight()
    level = 1 + GAP_INCHES * inch
    for text, colour, size in ((key, MUTED, 8.5), (title, INK, 10.5)):
        lines = textwrap.wrap(text, int(LETTERS_POINTS / size * figure.get_figwidth()))
        figure.text(
            0.01,
            level,
            "\n".join(lines),
            color=PRINT[colour],
            fontsize=size,
            va="bottom",
            parse_math=False,
        )
        level += (len(lines) * LINE_INCHES + GAP_INCHES) * inch
    return figure


def svg_of(figure: Figure, name: str) -> bytes:
    """The same figure and ``name`` give the same bytes."""
    return _saved(figure, "svg", {"svg.hashsalt": name}, {"Date": None})


def png_of(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    return _saved(figure, "png", {}, {"Software": None})


def _saved(figure: Figure, kind: str, settings: dict[str, str], metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    told = {"svg.fonttype": "none", "font.sans-serif": _FONTS, **settings}
    with matplotlib.rc_context(told), quiet_fonts():
        figure.savefig(
            buffer,
            format=kind,
            dpi=DOTS_PER_INCH,
            facecolor=WHITE,
            metadata=metadata,
            bbox_inches="tight",
            pad_inches=0.1,
        )
    return buffer.getvalue()


def _recolour(artist: Artist, part: str) -> None:
    read: Callable[[], object] | None = getattr(artist, f"get_{part}", None)
    write: Callable[[str], None] | None = getattr(artist, f"set_{part}", None)
    if read is None or write is None:
        return
    try:
        stand_in = to_hex(read())
    except (TypeError, ValueError):
        return  # several colours at once, none, or none that is set: no stand-in is any of these
    if stand_in in PRINT:
        write(PRINT[stand_in])
