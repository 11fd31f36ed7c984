"""Moving scenes: shapes that act in one or both halves of a clip, and the facts true of them.

A scene is plain data, as in ``scenes``. A clip lasts SECONDS and has two phases of equal length;
in each of them every mover does one thing. Positions and radii are fractions of the side, y
pointing down.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from datasets.twins.scenes import DOMINANCE, Relation

SECONDS = 3.0
PHASES = 2
PHASE_SECONDS = SECONDS / PHASES

Action = Literal[
    "left", "right", "up", "down", "grows", "shrinks", "spins", "blinks", "circles", "rests"
]
Encounter = Literal["passes", "approaches", "leaves"]
Moment = Literal["beginning", "end", "throughout"]

HEADINGS: dict[Action, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
}
# What an action looks like when the clip is played backwards.
REVERSED: dict[Action, Action] = {
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "grows": "shrinks",
    "shrinks": "grows",
    "spins": "spins",
    "blinks": "blinks",
    "circles": "circles",
    "rests": "rests",
}
CIRCLE = 0.13
TURN_DEGREES = 120.0
# Where the places of movers are compared, in seconds.
MOMENTS = tuple(SECONDS * step / 12 for step in range(13))
# Of encounters: how far before or behind the other is clearly so, how much closer a mover must
# come, and how wide a gap may stay between them when they pass and when one heads for the other.
CLEARLY = 0.08
CLOSER = 0.15
NEAR = 0.2
IN_LINE = 0.04


@dataclass(frozen=True)
class State:
    """A mover where a phase begins or ends; ``turn`` in degrees."""

    x: float
    y: float
    radius: float
    turn: float


@dataclass(frozen=True)
class Pose:
    """A mover at a moment."""

    x: float
    y: float
    radius: float
    turn: float
    visible: bool


@dataclass(frozen=True)
class Mover:
    """One object and what it does.

    size     None where it changes
    actions  in the first and the second phase
    track    at the beginning, in the middle and at the end of the clip
    sense    1 or -1: which way round it circles, which no caption tells
    """

    shape: str
    colour: str
    size: str | None
    fill: str
    actions: tuple[Action, Action]
    track: tuple[State, State, State]
    sense: int


@dataclass(frozen=True)
class MovingScene:
    """Movers on a background; all have different colours."""

    background: str
    movers: tuple[Mover, ...]


@dataclass(frozen=True)
class Happening:
    """What a mover does, to which other mover if to any, and in which phases."""

    actor: int
    action: Action | Encounter
    target: int | None
    phases: frozenset[int]


def pose(mover: Mover, seconds: float) -> Pose:
    """Where and how a mover is ``seconds`` after the beginning."""
    phase = min(int(seconds / PHASE_SECONDS), PHASES - 1)
    part = seconds / PHASE_SECONDS - phase
    a, b = mover.track[phase], mover.track[phase + 1]
    x, y, radius, turn = (
        getattr(a, name) + part * (getattr(b, name) - getattr(a, name))
        for name in ("x", "y", "radius", "turn")
    )
    if mover.actions[phase] == "circles":
        angle = 2.0 * math.pi * part
        x += mover.sense * CIRCLE * math.sin(angle)
        y += CIRCLE * (1.0 - math.cos(angle))
    hidden = mover.actions[phase] == "blinks" and 1 / 3 <= part < 2 / 3
    return Pose(x, y, radius, turn, not hidden)


def relation(scene: MovingScene, first: int, second: int, moment: Moment) -> Relation | None:
    """How mover ``first`` lies to mover ``second``; None where no word fits clearly.

    One axis must dominate the other by the factor DOMINANCE; ``throughout`` at all moments.
    """
    times = {"beginning": (0.0,), "end": (SECONDS,), "throughout": MOMENTS}[moment]
    a, b = scene.movers[first], scene.movers[second]
    seen = {_side(pose(a, at), pose(b, at)) for at in times}
    return seen.pop() if len(seen) == 1 else None


def happenings(scene: MovingScene) -> tuple[Happening, ...]:
    """Everything that happens; a mover "rests" only when it does so in both phases."""
    found = []
    for actor, mover in enumerate(scene.movers):
        for action in dict.fromkeys(mover.actions):
            phases = frozenset(p for p in range(PHASES) if mover.actions[p] == action)
            if action == "rests" and len(phases) < PHASES:
                continue
            found.append(Happening(actor, action, None, phases))
            for target in range(len(scene.movers)):
                met = _encounter(scene, actor, action, target, phases)
                if met is not None:
                    found.append(Happening(actor, met, target, phases))
    return tuple(found)


def played_backwards(scene: MovingScene) -> MovingScene:
    """The same frames in the other order."""
    return MovingScene(scene.background, tuple(map(_backwards, scene.movers)))


def mirrored(scene: MovingScene) -> MovingScene:
    """Left and right exchanged."""
    return MovingScene(scene.background, tuple(map(_mirror, scene.movers)))


def deeds(scene: MovingScene) -> Counter[str]:
    """What is done in a scene, without who does it, to whom and when."""
    return Counter(one.action for one in happenings(scene))


def _side(a: Pose, b: Pose) -> Relation | None:
    dx, dy = b.x - a.x, b.y - a.y
    if abs(dx) >= DOMINANCE * abs(dy):
        return "left of" if dx > 0 else "right of"
    if abs(dy) >= DOMINANCE * abs(dx):
        return "above" if dy > 0 else "below"
    return None


def _encounter(
    scene: MovingScene, actor: int, action: Action, target: int, phases: frozenset[int]
) -> Encounter | None:
    """What a move means for a target that keeps its place meanwhile."""
    heading = HEADINGS.get(action)
    other = scene.movers[target]
    if heading is None or target == actor:
        return None
    if any(other.actions[phase] in (*HEADINGS, "circles") for phase in phases):
        return None
    track = scene.movers[actor].track
    still = other.track[min(phases)]
    (before, aside), (after, _) = (
        _along(track[at], still, heading) for at in (min(phases), max(phases) + 1)
    )
    lane = aside - track[0].radius - still.radius
    if before < -CLEARLY and after > CLEARLY:
        return "passes" if lane <= NEAR else None
    if lane > IN_LINE or after - before < CLOSER:
        return None
    if after < -CLEARLY:
        return "approaches"
    return "leaves" if before > CLEARLY else None


def _along(mover: State, other: State, heading: tuple[int, int]) -> tuple[float, float]:
    """How far a mover is ahead of the other along a heading, and how far aside."""
    dx, dy = mover.x - other.x, mover.y - other.y
    return dx * heading[0] + dy * heading[1], abs(dx * heading[1] + dy * heading[0])


def _backwards(mover: Mover) -> Mover:
    first, second = mover.actions
    return replace(
        mover,
        actions=(REVERSED[second], REVERSED[first]),
        track=mover.track[::-1],
        sense=-mover.sense,
    )


_MIRRORED: dict[Action, Action] = {"left": "right", "right": "left"}


def _mirror(mover: Mover) -> Mover:
    first, second = mover.actions
    a, b, c = (replace(at, x=1.0 - at.x, turn=-at.turn) for at in mover.track)
    return replace(
        mover,
        actions=(_MIRRORED.get(first, first), _MIRRORED.get(second, second)),
        track=(a, b, c),
        sense=-mover.sense,
    )
