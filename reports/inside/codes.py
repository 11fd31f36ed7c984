"""How the codes of each position of an identifier are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from bench.inside.record import CodeUse
from reports import units
from reports.ablations.palette import Palette
from reports.inside.figure import LABEL, SMALL, blank, plain_axes

WIDTH_INCHES, HEIGHT_INCHES = 2.6, 1.8


@dataclass(frozen=True)
class Position:
    """One position before the counter; ``name`` is as k, v1, v2."""

    name: str
    use: CodeUse

    @property
    def used(self) -> int:
        return len(self.use.items)

    @property
    def used_share(self) -> float | None:
        """Of the codes that there are; None where their number was not told."""
        return self.used / self.use.size if self.use.size else None

    @property
    def perplexity(self) -> float:
        """exp(entropy): how many codes, all used alike, would say as much."""
        share = np.array(self.use.items) / sum(self.use.items)
        return float(np.exp(-(share * np.log(share)).sum()))

    @property
    def largest_share(self) -> float:
        """Share of the items that have the commonest code."""
        return self.use.items[0] / sum(self.use.items)


def positions(use: Sequence[CodeUse]) -> tuple[Position, ...]:
    """Named as ``cart.diagnosis`` does: k, then v1, v2 and so on."""
    names = ["k", *(f"v{place}" for place in range(1, len(use)))]
    return tuple(Position(name, one) for name, one in zip(names, use, strict=True) if one.items)


def draw_codes(position: Position, palette: Palette) -> Figure:
    """How many items each code has, the commonest first. The dashed line is what each would have,
    were all used alike."""
    items, size = position.use.items, position.use.size or position.used
    figure = blank(WIDTH_INCHES, HEIGHT_INCHES, palette)
    axes = figure.add_axes((0.13, 0.14, 0.84, 0.68))
    plain_axes(axes, palette)
    axes.stairs(items, fill=True, color=palette.first)
    even = sum(items) / size
    axes.plot([0, size], [even, even], color=palette.second, linewidth=1.4, linestyle=(0, (4, 2)))
    axes.set_xlim(0, size)
    axes.set_ylim(0, items[0] * 1.12)
    axes.set_xticks([size], [units.count(size)], ha="right")
    axes.set_yticks([items[0]], [units.count(items[0])])
    axes.set_title(position.name, loc="left", fontsize=LABEL, color=palette.ink)
    axes.set_title(
        f"{units.count(position.used)} in use", loc="right", fontsize=SMALL, color=palette.muted
    )
    return figure


def in_words(position: Position) -> str:
    """The text alternative of the plot."""
    of = f" of {units.count(position.use.size)}" if position.use.size else ""
    return (
        f"Position {position.name}: {units.count(position.used)}{of} codes in use, perplexity "
        f"{position.perplexity:.1f}; the commonest has {units.count(position.use.items[0])} items, "
        f"the rarest in use {units.count(position.use.items[-1])}."
    )
