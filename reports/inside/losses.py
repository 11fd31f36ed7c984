"""Where a retriever that writes identifiers loses its answers, token by token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.cells import Cell
from reports import units
from reports.ablations.palette import Palette
from reports.inside.figure import LABEL, SMALL, blank, plain_axes

WIDTH_INCHES, HEIGHT_INCHES = 4.9, 2.9
SPOKEN = {"k": "k, the coarse code", "u": "u, the counter"}


@dataclass(frozen=True)
class Token:
    """One token; shares of the queries.

    accuracy  whose token is the likeliest allowed one, given the right tokens before it
    left      of which greedy decoding is right up to this token
    lost      of which it was right before this token, and is no more
    """

    name: str
    accuracy: float
    left: float | None
    lost: float | None

    @property
    def spoken(self) -> str:
        return SPOKEN.get(self.name, self.name)


@dataclass(frozen=True)
class Beam:
    """How exact a search with ``width`` prefixes is, shares of the queries.

    certified      whose ten best are proved to be the model's own
    exact_top_1    whose best is, of those that a wider beam decides; None where there is none
    exact_top_10   whose ten best are, likewise
    work           decoder positions to be sure of all, over those of this beam
    """

    width: int
    certified: float
    exact_top_1: float | None
    exact_top_10: float | None
    work: float | None


@dataclass(frozen=True)
class Losses:
    """Of one cell; what its retriever did not tell is empty or None.

    unique  share of the items whose code prefix is theirs alone: the collision ceiling
    found   R@1 and R@10 of the search as it was measured, shares
    """

    tokens: tuple[Token, ...]
    beams: tuple[Beam, ...]
    unique: float | None
    distinct: float | None
    found: Mapping[str, float]

    @property
    def greedy(self) -> float | None:
        """R@1 of greedy decoding."""
        return self.tokens[-1].left if self.tokens else None


def losses(cell: Cell) -> Losses:
    told = cell.diagnostics
    return Losses(
        tokens=_tokens(told),
        beams=_beams(told),
        unique=told.get("collision_ceiling"),
        distinct=told.get("distinct_prefixes"),
        found={name: cell.metrics[name].value for name in ("R@1", "R@10") if name in cell.metrics},
    )


def _tokens(told: Mapping[str, float]) -> tuple[Token, ...]:
    found, before = [], 1.0
    for name, accuracy in _family(told, "token_accuracy").items():
        left = told.get(f"greedy_share/{name}")
        found.append(Token(name, accuracy, left, None if left is None else before - left))
        before = before if left is None else left
    return tuple(found)


def _beams(told: Mapping[str, float]) -> tuple[Beam, ...]:
    return tuple(
        Beam(
            int(name.removeprefix("beam ")),
            certified,
            told.get(f"exact_top_1/{name}"),
            told.get(f"exact_top_10/{name}"),
            told.get(f"certifying_work/{name}"),
        )
        for name, certified in _family(told, "certified").items()
        if name.removeprefix("beam ").isdecimal()
    )


def _family(told: Mapping[str, float], head: str) -> dict[str, float]:
    """The figures of one family by the rest of their names, in their order."""
    return {
        name.removeprefix(f"{head}/"): value
        for name, value in told.items()
        if name.startswith(f"{head}/")
    }


def in_words(shown: Losses) -> str:
    """The text alternative of the plot."""
    parts = [
        f"{token.name}: {units.percent(token.accuracy)} % right given the right tokens before"
        + ("" if token.left is None else f", {units.percent(token.left)} % of the queries left")
        for token in shown.tokens
    ]
    parts += [f"measured {name} {units.percent(value)} %" for name, value in shown.found.items()]
    return "; ".join(parts) + "."


def draw_losses(shown: Losses, palette: Palette) -> Figure:
    """What is left after each token of greedy decoding, the accuracy of each, and what the beam
    finds, in per cent."""
    figure = blank(WIDTH_INCHES, HEIGHT_INCHES, palette)
    axes = figure.add_axes((0.09, 0.16, 0.9, 0.8))
    plain_axes(axes, palette)
    axes.grid(axis="y", color=palette.rule, linewidth=0.8)
    axes.set_axisbelow(True)
    names = ["start", *(token.name for token in shown.tokens), *_found(shown)]
    axes.set_xlim(-0.4, len(names) - 0.5)
    axes.set_ylim(0, 106)
    axes.set_yticks(range(0, 101, 20), [*map(str, range(0, 100, 20)), "100 %"])
    axes.set_xticks(range(len(names)), names, fontsize=LABEL, color=palette.ink)
    _left(figure, shown.tokens, palette)
    for place, token in enumerate(shown.tokens, start=1):
        height = 100 * token.accuracy
        axes.plot(
            [place],
            [height],
            marker="D",
            markersize=5.4,
            color=palette.second,
            markerfacecolor=palette.paper,
            markeredgewidth=1.6,
            clip_on=False,
        )
    for place, value in enumerate(shown.found.values(), start=len(shown.tokens) + 1):
        axes.bar([place], [100 * value], width=0.34, color=palette.first)
        _value(figure, place, 100 * value, "center", palette)
    return figure


def _found(shown: Losses) -> list[str]:
    return [f"{name}\nbeam" for name in shown.found]


def _left(figure: Figure, tokens: Sequence[Token], palette: Palette) -> None:
    """A line that falls by what each token loses."""
    (axes,) = figure.axes
    heights = [100.0]
    for token in tokens:
        if token.left is None:
            break
        heights.append(100 * token.left)
    if len(heights) == 1:
        return
    axes.plot(range(len(heights)), heights, color=palette.first, linewidth=1.6, marker="o")
    for place, height in enumerate(heights[1:], start=1):
        _value(figure, place, height, "left", palette)


def _value(figure: Figure, place: float, height: float, align: str, palette: Palette) -> None:
    (axes,) = figure.axes
    axes.annotate(
        f"{height:.1f}",
        (place, height),
        xytext=(0, 3) if align == "center" else (6, -10),
        textcoords="offset points",
        ha=align,
        fontsize=SMALL,
        color=palette.ink,
    )
