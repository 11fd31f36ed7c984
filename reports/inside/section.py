"""All that the section on the inside of generative retrievers shows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.ablations import wording
from bench.cells import Cell
from bench.inside import record
from bench.inside.record import Inside, MappedItems, QueryTree
from bench.store import ResultStore
from reports import units
from reports.ablations.map_plot import draw_map
from reports.ablations.palette import PAGE
from reports.comparison import Line, Section
from reports.inline_svg import inline
from reports.inside import codes, losses, tree
from reports.inside.codes import Position, draw_codes
from reports.inside.losses import Losses, draw_losses
from reports.inside.tree import Drawn
from reports.inside.tree_plot import draw_tree
from reports.inside.tree_plot import in_words as tree_in_words

log = logging.getLogger("reports.inside")


@dataclass(frozen=True)
class Looked:
    """One row of the tables whose inside is stored, by its first finished seed."""

    part: Section
    line: Line
    cell: Cell
    inside: Inside


@dataclass(frozen=True)
class MapShown:
    """The items on a plane, and what is to be said of them."""

    svg: Markup
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class CodesShown:
    """The codes of one position."""

    position: Position
    svg: Markup


@dataclass(frozen=True)
class TreeShown:
    """The beam of one query."""

    anchor: str
    tree: QueryTree
    drawn: Drawn
    svg: Markup
    story: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """One row as the page shows it; what is not stored of it is None or empty."""

    anchor: str
    looked: Looked
    map: MapShown | None
    codes: tuple[CodesShown, ...]
    losses: Losses
    losses_svg: Markup | None
    trees: tuple[TreeShown, ...]

    @property
    def label(self) -> str:
        """As "cart on flickr30k-mini"."""
        return f"{self.looked.line.label} on {self.looked.part.label}"


def look(parts: Iterable[Section], store: ResultStore) -> list[Looked]:
    """The lines of which something is stored; what cannot be read is left out and logged."""
    found = (_looked(part, line, store) for part in parts for line in part.lines)
    return [looked for looked in found if looked is not None]


def _looked(part: Section, line: Line, store: ResultStore) -> Looked | None:
    cell = min(line.done, key=lambda cell: cell.spec.seed, default=None)
    content = None if cell is None else store.attachment(cell.spec.key, record.NAME)
    if cell is None or content is None:
        return None
    try:
        return Looked(part, line, cell, record.from_bytes(content))
    except record.Unreadable as problem:
        log.warning("The inside of %s is left out: %s.", cell.spec.key, problem)
        return None


def context(rows: Sequence[Looked]) -> dict[str, Any]:
    """What the section's template wants."""
    return {
        "insides": [_shown(row, f"inside-{number}") for number, row in enumerate(rows, start=1)],
        "inside_log": tree.logarithm,
        "inside_name": tree.name,
    }


def _shown(looked: Looked, anchor: str) -> Shown:
    label = units.visible(f"{looked.line.label} on {looked.part.label}")
    inside, lost = looked.inside, losses.losses(looked.cell)
    return Shown(
        anchor=anchor,
        looked=looked,
        map=None if inside.items is None else _map(inside.items, anchor, label),
        codes=tuple(_codes(one, anchor, label) for one in codes.positions(inside.codes)),
        losses=lost,
        losses_svg=_losses(lost, anchor, label) if lost.tokens else None,
        trees=tuple(
            _tree(one, f"{anchor}-tree-{number}", label)
            for number, one in enumerate(inside.trees, start=1)
        ),
    )


def _codes(position: Position, anchor: str, label: str) -> CodesShown:
    title = f"Items by code at position {position.name}, {label}"
    figure = draw_codes(position, PAGE)
    svg = inline(figure, f"{anchor}-codes-{position.name}", title, codes.in_words(position))
    return CodesShown(position, svg)


def _losses(lost: Losses, anchor: str, label: str) -> Markup:
    title = f"Queries left after each token, {label}"
    return inline(draw_losses(lost, PAGE), f"{anchor}-losses", title, losses.in_words(lost))


def _map(items: MappedItems, anchor: str, label: str) -> MapShown:
    depths = tuple(found.depth for found in items.distances)
    told = [wording.distances(found) for found in items.distances]
    figure = draw_map(items, depths, PAGE)
    svg = inline(figure, f"{anchor}-map", f"Items by code prefix, {label}", " ".join(told))
    if len(items.ids) < items.gallery:
        drawn, gallery = units.count(len(items.ids)), units.count(items.gallery)
        told.append(f"{drawn} of {gallery} items, drawn at random.")
    return MapShown(svg, tuple(told))


def _tree(found: QueryTree, anchor: str, label: str) -> TreeShown:
    drawn = tree.drawn(found)
    told = tuple(tree.story(drawn))
    words = " ".join([*told, tree_in_words(drawn)])
    svg = inline(draw_tree(drawn, PAGE), anchor, f"Beam of one query, {label}", words)
    return TreeShown(anchor, found, drawn, svg, told)
