"""Captions of procedural soundscapes: what is said (a meaning) and how it is worded.

A caption tells part of a soundscape, from one event to all of them. Its ``Meaning`` says which
soundscapes it is true of, without regard to the wording; the order in which a caption mentions
its events says nothing of their order in time.
"""

from __future__ import annotations

import random
from functools import partial

from datasets.twins import telling
from datasets.twins.sound_words import Mention, noun_only, say, short_name
from datasets.twins.soundscapes import SOURCES, Event, Relation, Soundscape, relation
from datasets.twins.telling import Step, chained, distinct, grounded, holds, related

GROUND_IN_FRONT = 0.3


Meaning = telling.Meaning[Mention, Relation]
Caption = telling.Caption[Meaning]
claims = telling.claims


def fits(meaning: Meaning, scape: Soundscape) -> bool:
    """Whether the soundscape has distinct events for all mentions, related as claimed."""
    return holds(meaning, scape.background, scape.events, partial(relation, scape))


def describe(scape: Soundscape, rng: random.Random, captions: int) -> list[Caption]:
    """``captions`` captions of different wording."""
    return distinct(lambda: _describe_once(scape, rng), captions)


def _describe_once(scape: Soundscape, rng: random.Random) -> Caption:
    if len(scape.events) == 1:
        return _single(scape, rng)
    plan = rng.choices((_pair, _chain, _listing), weights=(66, 24, 10))[0]
    return plan(scape, rng)


BACKGROUND_WORDS = {
    "quiet": ("in a silent room", "in silence", "with nothing else to be heard"),
    "rain": ("in the rain", "as rain falls", "with rain pattering down"),
    "wind": ("in the wind", "as wind blows", "with gusts of wind"),
    "hum": ("over a low electric hum", "beside a humming machine", "with mains hum"),
    "crowd": ("among chattering people", "in a crowded room", "with people talking"),
    "crickets": ("among chirring crickets", "with crickets around", "on a night full of crickets"),
    "sea": ("by the sea", "with waves breaking", "as waves roll in"),
}
# Constructions for two events by how the first lies in time to the second. {a} and {b} are
# clauses ("a bell rings"), {A} and {B} noun phrases ("a bell ringing").
FORMS: dict[Relation, tuple[str, ...]] = {
    "before": (
        "{a}, then {b}",
        "{a} before {b}",
        "before {B}, {a}",
        "{A} followed by {B}",
        "first {A}, later {B}",
    ),
    "after": (
        "{a} after {b}",
        "after {B}, {a}",
        "{A} follows {B}",
        "{A} preceded by {B}",
    ),
    "during": (
        "{a} in the middle of {B}",
        "{a} during {B}",
        "{a} while {B} goes on",
        "while {B} goes on, {a}",
    ),
    "throughout": (
        "{a} throughout {B}",
        "{A} lasting all through {B}",
        "{a}, and in the middle of it {b}",
        "{A} interrupted by {B}",
    ),
    "with": (
        "{a} at the same time as {B}",
        "{a} just as {b}",
        "{A} together with {B}",
        "{A} and {B} at once",
    ),
}
RELATION_WORDS: dict[Relation, tuple[str, ...]] = {
    "before": ("before", "earlier than", "ahead of"),
    "after": ("after", "later than", "following"),
    "during": ("during", "in the middle of"),
    "throughout": ("all through", "throughout"),
    "with": ("at the same time as", "together with"),
}
COUNT_WORDS = {1: "one sound", 2: "two sounds", 3: "three sounds"}


def _mention(event: Event, rng: random.Random) -> Mention:
    says_source = rng.random() < 0.95
    countable = SOURCES[event.source].repeats
    share = 0.0 if not countable else 0.35 if event.times == 1 else 0.6
    says_times = not says_source or rng.random() < share
    says_loudness = rng.random() < 0.25
    says_pitch = rng.random() < 0.5
    says_movement = rng.random() < (0.3 if event.movement == "steady" else 0.6)
    return Mention(
        event.source if says_source else None,
        event.pitch if says_pitch else None,
        event.movement if says_movement else None,
        event.loudness if says_loudness else None,
        event.times if says_times else None,
    )


def _ground(scape: Soundscape, rng: random.Random, share: float) -> tuple[str | None, str]:
    if rng.random() >= share:
        return None, ""
    return scape.background, rng.choice(BACKGROUND_WORDS[scape.background])


def _single(scape: Soundscape, rng: random.Random) -> Caption:
    """The only event."""
    mention = _mention(scape.events[0], rng)
    background, ground = _ground(scape, rng, 0.8)
    clause, phrase = say(mention, rng)
    count = 1 if rng.random() < 0.15 else None
    if count is None:
        body = rng.choice((clause, phrase, f"the sound of {phrase}", f"there is {phrase}"))
    else:
        body = rng.choice((f"only {phrase}", f"{phrase} and no other event"))
    meaning = Meaning((mention,), (), background, count)
    return Caption(_sentence(grounded(body, ground, GROUND_IN_FRONT, rng), rng), meaning)


def _pair(scape: Soundscape, rng: random.Random) -> Caption:
    """Two events and their relation, in one of several constructions."""
    first, said, second = rng.choice(_related(scape))
    mentions = tuple(_mention(scape.events[place], rng) for place in (first, second))
    background, ground = _ground(scape, rng, 0.8)
    body = _related_body(mentions[0], said, mentions[1], rng)
    meaning = Meaning(mentions, ((0, said, 1),), background)
    return Caption(_sentence(grounded(body, ground, GROUND_IN_FRONT, rng), rng), meaning)


def _chain(scape: Soundscape, rng: random.Random) -> Caption:
    """Three events, the third related to one of the first two."""
    steps = chained(_related(scape), rng)
    if steps is None:
        return _pair(scape, rng)
    (first, said, second), (third, also, anchor) = steps
    places = (first, second, third)
    mentions = tuple(_mention(scape.events[place], rng) for place in places)
    at = places.index(anchor)
    opening = _related_body(mentions[0], said, mentions[1], rng)
    clause, phrase = say(mentions[2], rng)
    words, back = rng.choice(RELATION_WORDS[also]), short_name(mentions[at])
    body = rng.choice(
        (
            f"{opening}, and {clause} {words} {back}",
            f"{opening}, with {phrase} {words} {back}",
            f"{opening}; {words} {back} there is {phrase}",
        )
    )
    background, ground = _ground(scape, rng, 0.45)
    meaning = Meaning(mentions, ((0, said, 1), (2, also, at)), background)
    return Caption(_sentence(grounded(body, ground, GROUND_IN_FRONT, rng), rng), meaning)


def _listing(scape: Soundscape, rng: random.Random) -> Caption:
    """Every event, without a relation."""
    places = list(range(len(scape.events)))
    rng.shuffle(places)
    mentions = tuple(_mention(scape.events[place], rng) for place in places)
    background, ground = _ground(scape, rng, 0.8)
    *most, last = (noun_only(mention, rng) for mention in mentions)
    events = f"{', '.join(most)} and {last}"
    counted = f"{COUNT_WORDS[len(places)]} in some order, {events}"
    count = len(places) if rng.random() < 0.3 else None
    body = counted if count else f"a recording with {events}"
    text = grounded(body, ground, GROUND_IN_FRONT, rng)
    return Caption(_sentence(text, rng), Meaning(mentions, (), background, count))


def _related(scape: Soundscape) -> list[Step[Relation]]:
    return related(len(scape.events), partial(relation, scape))


def _related_body(first: Mention, said: Relation, second: Mention, rng: random.Random) -> str:
    (clause_a, phrase_a), (clause_b, phrase_b) = say(first, rng), say(second, rng)
    form = rng.choice(FORMS[said])
    return form.format(a=clause_a, b=clause_b, A=phrase_a, B=phrase_b)


def _sentence(text: str, rng: random.Random) -> str:
    stop = "." if rng.random() < 0.85 else ""
    return f"{text[0].upper()}{text[1:]}{stop}"
