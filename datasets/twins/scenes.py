"""Procedural scenes: a few shapes with attributes on a background, and the facts true of them.

A scene is plain data. ``scene_rendering`` draws it and ``scene_captions`` describes it, so that
a caption's meaning can be checked against every scene without looking at a pixel.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
SIZES = ("small", "large")
FILLS = ("solid", "striped", "dotted", "outlined")
BACKGROUNDS = ("grey", "sky", "sand", "meadow", "checks", "night", "bricks", "boards")

Relation = Literal["left of", "right of", "above", "below", "inside", "around", "on", "under"]

OPPOSITE: dict[Relation, Relation] = {
    "left of": "right of",
    "right of": "left of",
    "above": "below",
    "below": "above",
    "inside": "around",
    "around": "inside",
    "on": "under",
    "under": "on",
}

RADIUS = {"small": (0.135, 0.15), "large": (0.205, 0.225)}
MARGIN = 0.02
HOLLOWS = ("circle", "square", "heart")
DOMINANCE = 1.35
# Weights of the number of objects.
SPARSE = {2: 55, 3: 37, 4: 8}


@dataclass(frozen=True)
class Shape:
    """One object; ``x``, ``y`` and ``radius`` are fractions of the picture's side.

    Later objects of a scene are drawn over earlier ones.
    """

    shape: str
    colour: str
    size: str
    fill: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """Objects on a background.

    ``attached`` is (guest, relation to its host) as (place, place, relation) where one object
    lies in or on another.
    """

    background: str
    objects: tuple[Shape, ...]
    attached: tuple[int, int, Relation] | None = None


def relation(scene: Scene, first: int, second: int) -> Relation | None:
    """How object ``first`` lies to object ``second``; None where no word fits clearly.

    "left of" and its like need one axis to dominate the other by the factor DOMINANCE.
    """
    if scene.attached is not None:
        guest, host, kind = scene.attached
        if (first, second) == (guest, host):
            return kind
        if (first, second) == (host, guest):
            return OPPOSITE[kind]
    a, b = scene.objects[first], scene.objects[second]
    dx, dy = b.x - a.x, b.y - a.y
    if abs(dx) >= DOMINANCE * abs(dy):
        return "left of" if dx > 0 else "right of"
    if abs(dy) >= DOMINANCE * abs(dx):
        return "above" if dy > 0 else "below"
    return None


def sample_scene(rng: random.Random, crowd: Mapping[int, float] = SPARSE) -> Scene:
    """Draw a scene of two to four objects with different colours; ``crowd`` weighs how many."""
    count = rng.choices(tuple(crowd), weights=tuple(crowd.values()))[0]
    attached = rng.random() < 0.4
    while True:
        kinds = _sample_kinds(rng, count)
        scene = _place_attached(rng, kinds) if attached else _place_apart(rng, kinds)
        if scene is not None:
            return scene


def sibling(scene: Scene, rng: random.Random) -> Scene:
    """A scene of the same words with other bindings.

    Two objects trade one attribute, or trade places so that their relation is reversed. Only
    a reader who binds attributes to objects, and objects to relations, tells the two apart.
    """
    changes = [_trade_attribute(scene, rng, name) for name in ("colour", "shape", "fill")]
    changes.append(_trade_places(scene, rng))
    possible = [change for change in changes if change is not None]
    return _shift(rng.choice(possible), rng) if possible else sample_scene(rng)


def _sample_kinds(rng: random.Random, count: int) -> list[Shape]:
    colours = rng.sample(COLOURS, count)
    kinds = []
    for colour in colours:
        size = rng.choice(SIZES) if count < 4 else "small"
        radius = rng.uniform(*RADIUS[size])
        kinds.append(Shape(rng.choice(SHAPES), colour, size, rng.choice(FILLS), 0.5, 0.5, radius))
    return kinds


def _place_apart(rng: random.Random, kinds: Sequence[Shape]) -> Scene | None:
    placed: list[Shape] = []
    for kind in kinds:
        spot = _free_spot(rng, kind, placed)
        if spot is None:
            return None
        placed.append(spot)
    return Scene(rng.choice(BACKGROUNDS), tuple(placed))


def _place_attached(rng: random.Random, kinds: Sequence[Shape]) -> Scene | None:
    """Lay the second object in or on the first, then the others apart from both."""
    large = rng.uniform(*RADIUS["large"])
    inside = rng.random() < 0.5
    host = replace(kinds[0], size="large", radius=large)
    placed_host = _free_spot(rng, host, [])
    if placed_host is None:
        return None
    if inside:
        placed_host = replace(placed_host, fill=rng.choice(("solid", "outlined")))
        if placed_host.shape not in HOLLOWS:
            placed_host = replace(placed_host, shape=rng.choice(HOLLOWS))
        guest = replace(kinds[1], size="small", radius=0.11, x=placed_host.x, y=placed_host.y)
        kind: Relation = "inside"
    else:
        angle = rng.uniform(0.0, 2.0 * math.pi)
        reach = 0.62 * (large + kinds[1].radius)
        guest = replace(
            kinds[1],
            fill=rng.choice(("solid", "striped", "dotted")),
            x=placed_host.x + reach * math.cos(angle),
            y=placed_host.y + reach * math.sin(angle),
        )
        kind = "on"
    if not _within(guest):
        return None
    placed = [placed_host, guest]
    for other in kinds[2:]:
        spot = _free_spot(rng, other, placed)
        if spot is None:
            return None
        placed.append(spot)
    return Scene(rng.choice(BACKGROUNDS), tuple(placed), (1, 0, kind))


def _within(shape: Shape) -> bool:
    low, high = shape.radius + MARGIN, 1.0 - shape.radius - MARGIN
    return low <= shape.x <= high and low <= shape.y <= high


def _free_spot(rng: random.Random, kind: Shape, placed: Sequence[Shape]) -> Shape | None:
    low, high = kind.radius + MARGIN, 1.0 - kind.radius - MARGIN
    for _ in range(60):
        spot = replace(kind, x=rng.uniform(low, high), y=rng.uniform(low, high))
        if all(_clear(spot, other) for other in placed):
            return spot
    return None


def _clear(a: Shape, b: Shape) -> bool:
    dx, dy = abs(a.x - b.x), abs(a.y - b.y)
    apart = math.hypot(dx, dy) >= a.radius + b.radius + MARGIN
    return apart and max(dx, dy) >= DOMINANCE * min(dx, dy)


def _trade_attribute(scene: Scene, rng: random.Random, name: str) -> Scene | None:
    pairs = [
        (i, j)
        for i in range(len(scene.objects))
        for j in range(i)
        if getattr(scene.objects[i], name) != getattr(scene.objects[j], name)
    ]
    if not pairs or (scene.attached is not None and name != "colour"):
        return None
    i, j = rng.choice(pairs)
    objects = list(scene.objects)
    first, second = getattr(objects[i], name), getattr(objects[j], name)
    objects[i] = replace(objects[i], **{name: second})
    objects[j] = replace(objects[j], **{name: first})
    return replace(scene, objects=tuple(objects))


def _trade_places(scene: Scene, rng: random.Random) -> Scene | None:
    """Two objects of one size trade places; of two sizes the larger might not fit."""
    pairs = [
        (i, j)
        for i in range(len(scene.objects))
        for j in range(i)
        if scene.objects[i].size == scene.objects[j].size
    ]
    if not pairs or scene.attached is not None:
        return None
    i, j = rng.choice(pairs)
    objects = list(scene.objects)
    a, b = objects[i], objects[j]
    objects[i] = replace(a, x=b.x, y=b.y, radius=b.radius)
    objects[j] = replace(b, x=a.x, y=a.y, radius=a.radius)
    return replace(scene, objects=tuple(objects))


def _shift(scene: Scene, rng: random.Random) -> Scene:
    """Move the whole scene a little, so that siblings do not share their pixels."""
    room_x = _room([(shape.x, shape.radius) for shape in scene.objects])
    room_y = _room([(shape.y, shape.radius) for shape in scene.objects])
    dx, dy = rng.uniform(*room_x), rng.uniform(*room_y)
    moved = tuple(replace(shape, x=shape.x + dx, y=shape.y + dy) for shape in scene.objects)
    return replace(scene, objects=moved)


def _room(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    left = min(at - radius for at, radius in spans) - MARGIN
    right = 1.0 - MARGIN - max(at + radius for at, radius in spans)
    return -max(0.0, min(left, 0.08)), max(0.0, min(right, 0.08))
