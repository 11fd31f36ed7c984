"""Captions of moving scenes: a part of what happens, in lower case and without a full stop."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from datasets.twins import telling
from datasets.twins.motion_meaning import Event, Meaning, Order, Placing
from datasets.twins.motion_words import (
    BEGINNINGS,
    CHANGING,
    ENDS,
    IN_TURN,
    LEADS,
    PLACE_WORDS,
    TOGETHER,
    VERBS,
    Verb,
)
from datasets.twins.moving_scenes import Happening, Moment, MovingScene, happenings, relation
from datasets.twins.scene_captions import BACKGROUND_WORDS, Mention, notice, noun_phrase
from datasets.twins.scenes import Relation
from datasets.twins.telling import distinct, grounded

# "Moves left to the left of" is true and confusing: such a place is not told with such a move.
AXIS = {
    **dict.fromkeys(("left", "right", "left of", "right of"), "across"),
    **dict.fromkeys(("up", "down", "above", "below"), "down"),
}
COUNT_WORDS = {2: "two", 3: "three"}
GROUND_IN_FRONT = 0.2


Caption = telling.Caption[Meaning]


@dataclass(frozen=True)
class Manner:
    """How much the writers of a dataset tell.

    background  share of the captions that name it
    plans       weights of what a caption is about, by name
    """

    background: float
    plans: Mapping[str, float]


@dataclass(frozen=True)
class _Told:
    """A caption without its background."""

    text: str
    mentions: tuple[Mention, ...]
    events: tuple[Event, ...] = ()
    order: Order | None = None
    places: tuple[Placing, ...] = ()
    count: int | None = None


def describe(
    scene: MovingScene, rng: random.Random, captions: int, manner: Manner
) -> list[Caption]:
    """``captions`` captions of different wording."""
    return distinct(lambda: _describe_once(scene, rng, manner), captions)


def _describe_once(scene: MovingScene, rng: random.Random, manner: Manner) -> Caption:
    told = None
    while told is None:
        plan = rng.choices(tuple(manner.plans), weights=tuple(manner.plans.values()))[0]
        told = PLANS[plan](scene, rng)
    text, background = told.text, None
    if rng.random() < manner.background:
        background = scene.background
        ground = rng.choice(BACKGROUND_WORDS[background])
        text = grounded(text, ground, GROUND_IN_FRONT, rng)
    meaning = Meaning(told.mentions, told.events, told.order, told.places, background, told.count)
    return Caption(text, meaning)


def _one_event(scene: MovingScene, rng: random.Random) -> _Told | None:
    """One thing that happens; now and then where another mover lies."""
    acts = [one for one in happenings(scene) if one.action != "rests"]
    happening = rng.choice(acts)
    actor = notice(scene.movers[happening.actor], rng)
    a = noun_phrase(actor, rng)
    verb = rng.choice(VERBS[happening.action])
    if happening.target is not None:
        target = notice(scene.movers[happening.target], rng)
        text = f"{_progress(a, verb, rng)} {noun_phrase(target, rng)}"
        return _Told(text, (actor, target), (Event(0, happening.action, 1),))
    events = (Event(0, happening.action),)
    sides = [
        (other, side)
        for other, side in _sides(scene, happening.actor, "throughout")
        if AXIS.get(side) != AXIS.get(happening.action)
    ]
    if sides and rng.random() < 0.5:
        other, side = rng.choice(sides)
        second = notice(scene.movers[other], rng)
        where = f"{rng.choice(PLACE_WORDS[side])} {noun_phrase(second, rng)}"
        text = f"{_progress(a, verb, rng)} {where}"
        return _Told(text, (actor, second), events, None, (Placing(0, side, 1, "throughout"),))
    return _Told(_progress(a, verb, rng), (actor,), events)


def _in_turn(scene: MovingScene, rng: random.Random) -> _Told | None:
    """Two things one after the other, by two movers or by one."""
    known = [one for one in happenings(scene) if one.target is None]
    earlier = [one for one in known if one.phases == {0}]
    later = [one for one in known if one.phases == {1}]
    if not earlier or not later:
        return None
    first, second = rng.choice(earlier), rng.choice(later)
    if first.actor == second.actor:
        return _changing(scene, first, second, rng)
    form = rng.choice(IN_TURN)
    return _two_clauses(scene, (first, second), form, "before", rng)


def _changing(scene: MovingScene, first: Happening, second: Happening, rng: random.Random) -> _Told:
    actor = notice(scene.movers[first.actor], rng)
    a, b = rng.choice(VERBS[first.action]), rng.choice(VERBS[second.action])
    who = noun_phrase(actor, rng)
    text = rng.choice(CHANGING).format(
        who=who, a=a.finite, b=b.finite, aing=a.gerund, bing=b.gerund
    )
    return _Told(text, (actor,), (Event(0, first.action), Event(0, second.action)), "before")


def _together(scene: MovingScene, rng: random.Random) -> _Told | None:
    """Two movers that act at the same time, or one that acts and one that rests."""
    known = [one for one in happenings(scene) if one.target is None]
    pairs = [
        (one, other)
        for one in known
        for other in known
        if one.actor != other.actor
        and (one.phases == other.phases or other.action == "rests")
        and one.action != "rests"
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    order: Order | None = "while" if one.phases == other.phases else None
    form = rng.choice(TOGETHER if order else TOGETHER[:1])
    return _two_clauses(scene, (one, other), form, order, rng)


def _two_clauses(
    scene: MovingScene,
    pair: tuple[Happening, Happening],
    form: str,
    order: Order | None,
    rng: random.Random,
) -> _Told:
    mentions = tuple(notice(scene.movers[one.actor], rng) for one in pair)
    clause = _progressive if order != "before" and rng.random() < 0.5 else _finite
    a, b = (
        clause(noun_phrase(mention, rng), rng.choice(VERBS[one.action]))
        for mention, one in zip(mentions, pair, strict=True)
    )
    events = (Event(0, pair[0].action), Event(1, pair[1].action))
    return _Told(form.format(a=a, b=b), mentions, events, order)


def _placed(scene: MovingScene, rng: random.Random) -> _Told | None:
    """How two movers lie at the beginning, at the end or all the time."""
    moment: Moment = rng.choice(("beginning", "end", "throughout"))
    first = rng.randrange(len(scene.movers))
    sides = _sides(scene, first, moment)
    if not sides:
        return None
    second, side = rng.choice(sides)
    mentions = (notice(scene.movers[first], rng), notice(scene.movers[second], rng))
    a, b = (noun_phrase(mention, rng) for mention in mentions)
    text = rng.choice(_FORMS[moment]).format(
        a=a,
        b=b,
        where=rng.choice(PLACE_WORDS[side]),
        early=rng.choice(BEGINNINGS),
        late=rng.choice(ENDS),
    )
    return _Told(text, mentions, (), None, (Placing(0, side, 1, moment),))


_FORMS: dict[Moment, tuple[str, ...]] = {
    "beginning": ("{a} starts {where} {b}", "{early} {a} is {where} {b}", "{a} begins {where} {b}"),
    "end": ("{a} ends up {where} {b}", "{late} {a} is {where} {b}", "{a} ends {where} {b}"),
    "throughout": ("{a} is {where} {b} all the time", "{a} stays {where} {b}"),
}


def _listing(scene: MovingScene, rng: random.Random) -> _Told | None:
    """Every mover, and of one what it does."""
    known = [one for one in happenings(scene) if one.target is None and one.action != "rests"]
    happening = rng.choice(known)
    others = [place for place in range(len(scene.movers)) if place != happening.actor]
    rng.shuffle(others)
    mentions = tuple(notice(scene.movers[place], rng) for place in (happening.actor, *others))
    who, *rest = (noun_phrase(mention, rng) for mention in mentions)
    doing = f"{who} {rng.choice(VERBS[happening.action]).gerund}"
    events = (Event(0, happening.action),)
    if rng.random() < 0.3:
        count = len(mentions)
        text = f"{COUNT_WORDS[count]} shapes, {' and '.join(rest)} and {doing}"
        return _Told(text, mentions, events, count=count)
    return _Told(f"{' and '.join(rest)} and {doing}", mentions, events)


PLANS: dict[str, Callable[[MovingScene, random.Random], _Told | None]] = {
    "one event": _one_event,
    "in turn": _in_turn,
    "together": _together,
    "placed": _placed,
    "listing": _listing,
}


def _sides(scene: MovingScene, first: int, moment: Moment) -> list[tuple[int, Relation]]:
    """The other movers that mover ``first`` clearly lies beside, and how it lies to them."""
    others = (place for place in range(len(scene.movers)) if place != first)
    told = ((place, relation(scene, first, place, moment)) for place in others)
    return [(place, side) for place, side in told if side is not None]


def _finite(who: str, verb: Verb) -> str:
    return f"{who} {verb.finite}"


def _progressive(who: str, verb: Verb) -> str:
    return f"{who} is {verb.gerund}"


def _progress(who: str, verb: Verb, rng: random.Random) -> str:
    """One of three ways of saying that somebody does something."""
    form = rng.random()
    if form < 0.35:
        return _finite(who, verb)
    if form < 0.8:
        return _progressive(who, verb)
    return f"{rng.choice(LEADS)} {who} {verb.gerund}"
