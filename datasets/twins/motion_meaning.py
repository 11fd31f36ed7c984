"""What a caption of a moving scene claims, apart from how it is worded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datasets.twins.moving_scenes import (
    Action,
    Encounter,
    Happening,
    Moment,
    MovingScene,
    happenings,
    relation,
)
from datasets.twins.scene_captions import Mention
from datasets.twins.scenes import Relation
from datasets.twins.telling import bindings, is_set, said_of

Order = Literal["before", "while"]


@dataclass(frozen=True)
class Event:
    """A mention does something, to another mention if to any."""

    actor: int
    action: Action | Encounter
    target: int | None = None


@dataclass(frozen=True)
class Placing:
    """How a mention lies to another, and when."""

    first: int
    relation: Relation
    second: int
    moment: Moment


@dataclass(frozen=True)
class Meaning:
    """What a caption claims.

    order  of the first event to the second. "before": the first happens only in the first phase
           and the second only in the second; "while": they happen in the same phases
    count  the number of movers in the whole scene
    """

    mentions: tuple[Mention, ...]
    events: tuple[Event, ...] = ()
    order: Order | None = None
    places: tuple[Placing, ...] = ()
    background: str | None = None
    count: int | None = None


def fits(meaning: Meaning, scene: MovingScene) -> bool:
    """Whether the scene has distinct movers for all mentions that do what is claimed."""
    if not is_set(meaning, scene.background, len(scene.movers)):
        return False
    known = happenings(scene)
    return any(
        _happens(meaning, known, cast)
        and all(
            relation(scene, cast[one.first], cast[one.second], one.moment) == one.relation
            for one in meaning.places
        )
        for cast in bindings(meaning.mentions, scene.movers)
    )


def claims(meaning: Meaning) -> list[str]:
    """The words of a meaning without their bindings, sorted, repeated where said twice."""
    words = [value for mention in meaning.mentions for value in said_of(mention)]
    words += [event.action for event in meaning.events]
    words += [word for one in meaning.places for word in (one.relation, one.moment)]
    words += [word for word in (meaning.order, meaning.background) if word is not None]
    return sorted(words)


def _happens(meaning: Meaning, known: tuple[Happening, ...], cast: tuple[int, ...]) -> bool:
    phases = []
    for event in meaning.events:
        target = None if event.target is None else cast[event.target]
        found = [
            one.phases
            for one in known
            if (one.actor, one.action, one.target) == (cast[event.actor], event.action, target)
        ]
        if not found:
            return False
        phases.append(found[0])
    if meaning.order == "before":
        return phases[:2] == [{0}, {1}]
    return meaning.order is None or phases[0] == phases[1]
