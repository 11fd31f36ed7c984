"""Procedural soundscapes: a few sounding events over a background, and the facts true of them.

A soundscape is plain data. ``sound_synthesis`` makes it heard and ``sound_captions`` describes
it, so that a caption's meaning can be checked against every soundscape without hearing a sample.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

BACKGROUNDS = ("quiet", "rain", "wind", "hum", "crowd", "crickets", "sea")
PITCHES = ("low", "high")
MOVEMENTS = ("rising", "falling", "steady")
LOUDNESSES = ("loud", "soft")
TIMES = {1: 44, 2: 31, 3: 25}

Relation = Literal["before", "after", "during", "throughout", "with"]
Joint = Literal["alone", "inside", "together"]

OPPOSITE: dict[Relation, Relation] = {
    "before": "after",
    "after": "before",
    "during": "throughout",
    "throughout": "during",
    "with": "with",
}

# Seconds. What is said to be apart is apart by REST at least, and what is said to sound within
# another begins and ends at least MARGIN within it and is no longer than LONGEST_INSIDE.
REST = 0.25
MARGIN = 0.25
LONGEST_INSIDE = 1.3
EDGE = 0.1
TOLERANCE = 1e-6
JOINT_SHARE = 0.42
# How often a change of order is in the draw for each change of an attribute.
ORDER_CHANGES = 3


@dataclass(frozen=True)
class Traits:
    """What a source can do: ``slot`` is the seconds that it takes to sound once.

    held  it can sound for as long as one likes
    """

    slot: float
    pitched: bool = False
    glides: bool = False
    held: bool = False
    repeats: bool = True


SOURCES: dict[str, Traits] = {
    "bell": Traits(0.5, pitched=True),
    "whistle": Traits(0.52, pitched=True, glides=True, held=True),
    "buzzer": Traits(0.42, pitched=True, held=True),
    "horn": Traits(0.52, pitched=True, glides=True, held=True),
    "drum": Traits(0.36, pitched=True),
    "bird": Traits(0.42),
    "drop": Traits(0.34),
    "knock": Traits(0.32),
    "engine": Traits(1.2, glides=True, held=True, repeats=False),
}


@dataclass(frozen=True)
class Event:
    """One source sounding ``times`` times in a row; ``start`` and ``length`` in seconds.

    ``pitch`` and ``movement`` are None where the source has none to speak of.
    """

    source: str
    pitch: str | None
    movement: str | None
    loudness: str
    times: int
    start: float = 0.0
    length: float = 0.0

    @property
    def end(self) -> float:
        return self.start + self.length


@dataclass(frozen=True)
class Moment:
    """The places of the events that belong together in time.

    "inside": the second sounds in the middle of the first; "together": both begin and end at
    once.
    """

    places: tuple[int, ...]
    joint: Joint = "alone"


@dataclass(frozen=True)
class Soundscape:
    """Events over a background for ``seconds``, in ``moments`` that follow one another."""

    background: str
    seconds: float
    events: tuple[Event, ...]
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Form:
    """What soundscapes are drawn: how long, and how often with how many events (weights)."""

    seconds: float
    counts: Mapping[int, int]


def relation(scape: Soundscape, first: int, second: int) -> Relation | None:
    """How event ``first`` lies in time to event ``second``; None where no word fits clearly."""
    a, b = scape.events[first], scape.events[second]
    if a.end + REST <= b.start + TOLERANCE:
        return "before"
    if b.end + REST <= a.start + TOLERANCE:
        return "after"
    if _within(a, b):
        return "during"
    if _within(b, a):
        return "throughout"
    same = abs(a.start - b.start) < TOLERANCE and abs(a.end - b.end) < TOLERANCE
    return "with" if same else None


def _within(inner: Event, outer: Event) -> bool:
    return (
        outer.start + MARGIN <= inner.start + TOLERANCE
        and inner.end + MARGIN <= outer.end + TOLERANCE
    )


def sample_soundscape(form: Form, rng: random.Random) -> Soundscape:
    """Draw a soundscape whose sources all differ."""
    while True:
        count = rng.choices(list(form.counts), weights=list(form.counts.values()))[0]
        events = tuple(_sample_event(source, rng) for source in rng.sample(list(SOURCES), count))
        moments = _sample_moments(count, rng)
        draft = Soundscape(rng.choice(BACKGROUNDS), form.seconds, events, moments)
        placed = _lay_out(draft, rng)
        if placed is not None:
            return placed


def sibling(scape: Soundscape, rng: random.Random) -> Soundscape | None:
    """A soundscape of the same words with other bindings, None where there is none.

    Two events trade an attribute, the moments follow in the opposite order, or what sounded
    inside another now surrounds it.
    """
    changes = [_trade(scape, rng, name) for name in ("pitch", "movement", "loudness", "times")]
    for _ in range(ORDER_CHANGES):
        changes += [_turn_round(scape), _turn_inside_out(scape)]
    possible = [change for change in changes if change is not None]
    rng.shuffle(possible)
    placed = (_lay_out(change, rng) for change in possible)
    return next((one for one in placed if one is not None), None)


def _sample_event(source: str, rng: random.Random) -> Event:
    traits = SOURCES[source]
    return Event(
        source,
        rng.choice(PITCHES) if traits.pitched else None,
        rng.choice(MOVEMENTS) if traits.glides else None,
        rng.choice(LOUDNESSES),
        rng.choices(list(TIMES), weights=list(TIMES.values()))[0] if traits.repeats else 1,
    )


def _sample_moments(count: int, rng: random.Random) -> tuple[Moment, ...]:
    if count > 1 and rng.random() < JOINT_SHARE:
        joint: Joint = rng.choice(("inside", "inside", "together"))
        moments = [Moment((0, 1), joint)] + [Moment((place,)) for place in range(2, count)]
    else:
        moments = [Moment((place,)) for place in range(count)]
    rng.shuffle(moments)
    return tuple(moments)


def _lay_out(scape: Soundscape, rng: random.Random) -> Soundscape | None:
    """The soundscape with new starts and lengths; None where they cannot be as the moments say."""
    events = list(scape.events)
    spans = []
    for moment in scape.moments:
        timed = _timed(moment, [events[place] for place in moment.places], rng)
        if timed is None:
            return None
        for place, event in zip(moment.places, timed, strict=True):
            events[place] = event
        spans.append(max(event.end for event in timed))
    room = scape.seconds - 2 * EDGE - sum(spans) - REST * (len(spans) - 1)
    if room < 0:
        return None
    # Each in its own part of the room, so that what comes first mostly comes early.
    delays = [room * (place + rng.random()) / len(spans) for place in range(len(spans))]
    begin = EDGE
    for moment, span, delay in zip(scape.moments, spans, delays, strict=True):
        for place in moment.places:
            events[place] = replace(events[place], start=begin + delay + events[place].start)
        begin += span + REST
    return replace(scape, events=tuple(events))


def _timed(moment: Moment, events: list[Event], rng: random.Random) -> list[Event] | None:
    """The events of a moment with their lengths, and starts counted from that of the moment."""
    lengths = [_natural_length(event, rng) for event in events]
    if moment.joint == "alone":
        return [replace(events[0], start=0.0, length=lengths[0])]
    first, second = events
    if moment.joint == "inside":
        if not _is_held(first) or lengths[1] > LONGEST_INSIDE:
            return None
        lead, tail = (rng.uniform(1.4, 2.2) * MARGIN for _ in range(2))
        host = replace(first, start=0.0, length=lead + lengths[1] + tail)
        return [host, replace(second, start=lead, length=lengths[1])]
    if first.times != second.times and not (_is_held(first) or _is_held(second)):
        return None
    # What is held lasts as long as the other takes.
    bound = [
        length for event, length in zip(events, lengths, strict=True) if not _is_held(event)
    ] or lengths
    return [replace(event, start=0.0, length=max(bound)) for event in events]


def _natural_length(event: Event, rng: random.Random) -> float:
    stretch = rng.uniform(1.4, 2.0) if _is_held(event) and SOURCES[event.source].repeats else 1.0
    return stretch * rng.uniform(0.96, 1.04) * event.times * SOURCES[event.source].slot


def _is_held(event: Event) -> bool:
    return event.times == 1 and SOURCES[event.source].held


def _trade(scape: Soundscape, rng: random.Random, name: str) -> Soundscape | None:
    values = {place: getattr(event, name) for place, event in enumerate(scape.events)}
    able = [
        place
        for place, value in values.items()
        if value is not None and (name != "times" or SOURCES[scape.events[place].source].repeats)
    ]
    pairs = [(i, j) for i in able for j in able if i < j and values[i] != values[j]]
    if not pairs:
        return None
    i, j = rng.choice(pairs)
    events = list(scape.events)
    events[i] = replace(events[i], **{name: values[j]})
    events[j] = replace(events[j], **{name: values[i]})
    return replace(scape, events=tuple(events))


def _turn_round(scape: Soundscape) -> Soundscape | None:
    if len(scape.moments) < 2:
        return None
    return replace(scape, moments=scape.moments[::-1])


def _turn_inside_out(scape: Soundscape) -> Soundscape | None:
    if all(moment.joint != "inside" for moment in scape.moments):
        return None
    moments = tuple(
        replace(one, places=one.places[::-1]) if one.joint == "inside" else one
        for one in scape.moments
    )
    return replace(scape, moments=moments)
