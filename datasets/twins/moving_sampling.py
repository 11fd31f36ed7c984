"""Draws moving scenes, and to a given one a sibling: the same words bound otherwise."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from datasets.twins.moving_scenes import (
    HEADINGS,
    MOMENTS,
    REVERSED,
    TURN_DEGREES,
    Action,
    Mover,
    MovingScene,
    State,
    deeds,
    happenings,
    mirrored,
    played_backwards,
    pose,
)
from datasets.twins.scenes import BACKGROUNDS, COLOURS, MARGIN, SHAPES

RADIUS = {"small": (0.115, 0.125), "large": (0.175, 0.19)}
# A mover that grows or shrinks does so between these.
LEAST_RADIUS, MOST_RADIUS = 0.085, 0.18
# How far a move leads: one that fills a phase, and one that fills the clip.
REACH = {1: (0.32, 0.45), 2: (0.45, 0.6)}
FILL_WEIGHTS = {"solid": 70, "outlined": 30}
# Colours that a background swallows.
FAINT = {"night": ("black",), "sky": ("white",), "meadow": ("green",), "boards": ("black",)}
ACTING: tuple[Action, ...] = (
    "left", "right", "up", "down", "grows", "shrinks", "spins", "blinks", "circles",
)  # fmt: skip
# These end as they began, so that only the order of the frames tells when they happened.
RETURNING: tuple[Action, ...] = ("spins", "blinks", "circles")
TRIES = 30

Story = tuple[Action, Action]
REST: Story = ("rests", "rests")


def sample_moving_scene(rng: random.Random) -> MovingScene:
    """Draw a scene of two or three movers with different colours, none touching another."""
    count = rng.choices((2, 3), weights=(62, 38))[0]
    while True:
        stories = _stories(rng, count)
        movers = _place(rng, [_mover(rng, story) for story in stories])
        if movers is not None:
            return _painted(rng, movers)


def sibling(scene: MovingScene, rng: random.Random) -> MovingScene:
    """A scene of the same words with other bindings.

    The clip played backwards or mirrored, where that takes the same words; else two movers
    trade colour, shape or all looks.
    """
    turned = [one for one in (played_backwards(scene), mirrored(scene)) if _differs(one, scene)]
    if turned and rng.random() < 0.6:
        return _shifted(rng.choice(turned), rng)
    trades = (("colour",), ("shape",), ("shape", "colour", "fill"))
    traded = [_trade(scene, rng, names) for names in trades]
    return _shifted(rng.choice([one for one in traded if one is not None]), rng)


def _stories(rng: random.Random, count: int) -> list[Story]:
    """What each of ``count`` movers does; one or two of them act."""
    plan = rng.choices(("alone", "together", "in turn", "changing"), weights=(15, 20, 48, 17))[0]
    first = rng.choice(ACTING)
    second = _partner(rng, first)
    acting: list[Story] = {
        "alone": [(first, first)],
        "together": [(first, first), (second, second)],
        "in turn": [(first, "rests"), ("rests", second)],
        "changing": [(first, second)],
    }[plan]
    stories = acting + [REST] * (count - len(acting))
    rng.shuffle(stories)
    return stories


def _partner(rng: random.Random, first: Action) -> Action:
    """Another action, often one that makes the clip and its reverse take the same words."""
    others = [action for action in ACTING if action != first]
    if rng.random() < 0.4:
        return rng.choice(others)
    if first in RETURNING:
        return rng.choice([action for action in RETURNING if action != first])
    return REVERSED[first]


def _mover(rng: random.Random, story: Story) -> Mover:
    """A mover of a story, its track laid from the origin; its colour is given later."""
    size = rng.choice(tuple(RADIUS))
    radius = rng.uniform(*RADIUS[size])
    runs = 2 if story[0] == story[1] else 1
    reach = rng.uniform(*REACH[runs]) / runs
    radii = _radii(story, radius)
    changes = len(set(radii)) > 1
    x = y = turn = 0.0
    states = [State(x, y, radii[0], turn)]
    for action, after in zip(story, radii[1:], strict=True):
        across, down = HEADINGS.get(action, (0, 0))
        x, y = x + reach * across, y + reach * down
        turn += TURN_DEGREES if action == "spins" else 0.0
        states.append(State(x, y, after, turn))
    shapes = [shape for shape in SHAPES if not ("spins" in story and shape == "circle")]
    fill = rng.choices(tuple(FILL_WEIGHTS), weights=tuple(FILL_WEIGHTS.values()))[0]
    return Mover(
        rng.choice(shapes),
        "",
        None if changes else size,
        fill,
        story,
        (states[0], states[1], states[2]),
        rng.choice((-1, 1)),
    )


def _radii(story: Story, radius: float) -> tuple[float, float, float]:
    """The radius at the beginning, in the middle and at the end."""
    low, high = LEAST_RADIUS, MOST_RADIUS
    begins = {"grows": low, "shrinks": high}
    ends = {"grows": high, "shrinks": low}
    first, second = story
    if story in (("grows", "grows"), ("shrinks", "shrinks")):
        return begins[first], (low + high) / 2, ends[first]
    middle = ends.get(first, begins.get(second, radius))
    return begins.get(first, middle), middle, ends.get(second, middle)


def _place(rng: random.Random, movers: Sequence[Mover]) -> list[Mover] | None:
    placed: list[Mover] = []
    for mover in movers:
        spot = _free_spot(rng, mover, placed)
        if spot is None:
            return None
        placed.append(spot)
    return placed


def _free_spot(rng: random.Random, mover: Mover, placed: Sequence[Mover]) -> Mover | None:
    """The mover somewhere within the picture where it never touches those placed."""
    left, right, top, bottom = _room(mover)
    if left > right or top > bottom:
        return None
    for _ in range(TRIES):
        spot = _moved(mover, rng.uniform(left, right), rng.uniform(top, bottom))
        if all(clear(spot, other) for other in placed):
            return spot
    return None


def clear(a: Mover, b: Mover) -> bool:
    """Whether two movers stay apart all the time, by MARGIN."""
    for at in MOMENTS:
        one, other = pose(a, at), pose(b, at)
        apart = math.hypot(one.x - other.x, one.y - other.y)
        if apart < one.radius + other.radius + MARGIN:
            return False
    return True


def _room(mover: Mover) -> tuple[float, float, float, float]:
    """How far a mover may be shifted (left, right, top, bottom) and stay within the picture."""
    poses = [pose(mover, at) for at in MOMENTS]
    return (
        MARGIN - min(at.x - at.radius for at in poses),
        1.0 - MARGIN - max(at.x + at.radius for at in poses),
        MARGIN - min(at.y - at.radius for at in poses),
        1.0 - MARGIN - max(at.y + at.radius for at in poses),
    )


def _moved(mover: Mover, dx: float, dy: float) -> Mover:
    a, b, c = (replace(at, x=at.x + dx, y=at.y + dy) for at in mover.track)
    return replace(mover, track=(a, b, c))


def _painted(rng: random.Random, movers: Sequence[Mover]) -> MovingScene:
    background = rng.choice(BACKGROUNDS)
    seen = [colour for colour in COLOURS if colour not in FAINT.get(background, ())]
    colours = rng.sample(seen, len(movers))
    painted = (replace(mover, colour=one) for mover, one in zip(movers, colours, strict=True))
    return MovingScene(background, tuple(painted))


def _differs(one: MovingScene, other: MovingScene) -> bool:
    """Whether the same things are done, but not by the same movers at the same time."""
    return deeds(one) == deeds(other) and happenings(one) != happenings(other)


def _trade(scene: MovingScene, rng: random.Random, names: Sequence[str]) -> MovingScene | None:
    """Two movers trade the attributes; None where that changes nothing or a circle would spin."""
    movers = scene.movers
    pairs = [
        (i, j)
        for i in range(len(movers))
        for j in range(i)
        if any(getattr(movers[i], name) != getattr(movers[j], name) for name in names)
    ]
    if not pairs:
        return None
    i, j = rng.choice(pairs)
    changed = list(movers)
    changed[i] = replace(movers[i], **{name: getattr(movers[j], name) for name in names})
    changed[j] = replace(movers[j], **{name: getattr(movers[i], name) for name in names})
    if any(mover.shape == "circle" and "spins" in mover.actions for mover in changed):
        return None
    return replace(scene, movers=tuple(changed))


def _shifted(scene: MovingScene, rng: random.Random) -> MovingScene:
    """The whole scene a little elsewhere, so that siblings do not share their pixels."""
    rooms = [_room(mover) for mover in scene.movers]
    left, right = max(room[0] for room in rooms), min(room[1] for room in rooms)
    top, bottom = max(room[2] for room in rooms), min(room[3] for room in rooms)
    dx = rng.uniform(max(left, -0.08), min(right, 0.08))
    dy = rng.uniform(max(top, -0.08), min(bottom, 0.08))
    return replace(scene, movers=tuple(_moved(mover, dx, dy) for mover in scene.movers))
