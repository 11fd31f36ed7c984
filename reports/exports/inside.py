"""The plots of what goes on inside a retriever that writes identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from matplotlib.figure import Figure

from bench.files import file_stem
from reports.ablations.map_plot import draw_map
from reports.ablations.palette import PRINT
from reports.exports.origin import origin
from reports.exports.plots import Plot
from reports.inside.codes import draw_codes, positions
from reports.inside.losses import draw_losses, losses
from reports.inside.section import Looked
from reports.inside.tree import drawn
from reports.inside.tree_plot import draw_tree

Drawing = tuple[str, str, str, Callable[[], Figure]]


def inside(looked: Looked) -> list[Plot]:
    """Whatever is stored of one row: its items, its codes, where answers are lost, its beams."""
    part, cell = looked.part, looked.cell
    label = f"{looked.line.label} on {part.label}"
    whose = f"{looked.line.label}-{part.dataset}-{part.protocol}"
    return [
        Plot(
            file_stem(f"{kind}-{whose}"),
            f"{title}, {label}",
            key,
            draw,
            origin([cell]),
            (cell.spec.key,),
        )
        for kind, title, key, draw in _drawings(looked)
    ]


def _drawings(looked: Looked) -> Iterator[Drawing]:
    """Kind, title, key and drawing of each."""
    found = looked.inside
    if found.items is not None:
        items = found.items
        depths = tuple(each.depth for each in items.distances)
        key = "t-SNE; items of the commonest prefixes have a colour and a shape, others are grey"
        yield "map", "Items by code prefix", key, lambda: draw_map(items, depths, PRINT)
    for position in positions(found.codes):
        title = f"Items by code at position {position.name}"
        key = "Items a code, the commonest first; dashed: were all codes used alike"
        yield f"codes-{position.name}", title, key, partial(draw_codes, position, PRINT)
    lost = losses(looked.cell)
    if lost.tokens:
        key = "● still right in greedy decoding  ◇ accuracy of the token itself; bars: the beam"
        yield "losses", "Queries left after each token", key, lambda: draw_losses(lost, PRINT)
    for number, tree in enumerate(found.trees, start=1):
        key = "● kept  × let go, with log-probabilities; thick, to a star: the right item"
        yield f"beam-{number}", "Beam of one query", key, partial(draw_tree, drawn(tree), PRINT)
