"""What the captions of all twins share: a meaning, whether it holds, and several wordings of it.

A thing is what a caption mentions: an object of a scene, a mover of a clip, an event of a
soundscape. A mention is a frozen dataclass whose fields are attributes of things, None where it
says nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Generic, Protocol, TypeVar

Mention = TypeVar("Mention")
Relation = TypeVar("Relation")
Told = TypeVar("Told")

# How one thing lies to another, by their places; None where no word fits clearly.
Relating = Callable[[int, int], Relation | None]
Step = tuple[int, Relation, int]


@dataclass(frozen=True)
class Meaning(Generic[Mention, Relation]):
    """What a caption claims.

    ``relations`` are (place of a mention, relation, place of another mention); ``count`` is
    the number of things in the whole where the caption gives it.
    """

    mentions: tuple[Mention, ...]
    relations: tuple[tuple[int, Relation, int], ...] = ()
    background: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Caption(Generic[Told]):
    """A text and its meaning."""

    text: str
    meaning: Told


class Setting(Protocol):
    """What a meaning says of the whole; None where it says nothing."""

    @property
    def background(self) -> str | None: ...
    @property
    def count(self) -> int | None: ...


def is_set(meaning: Setting, background: str, things: int) -> bool:
    """Whether the background and the number of things are what is said of them, if anything."""
    return meaning.background in (None, background) and meaning.count in (None, things)


def agrees(mention: Any, thing: object) -> bool:
    """Whether a thing has all that is said of it."""
    return all(said in (None, getattr(thing, name)) for name, said in vars(mention).items())


def said_of(mention: Any) -> list[str]:
    """The words of a mention, without synonyms."""
    return [str(said) for said in vars(mention).values() if said is not None]


def bindings(mentions: Sequence[object], things: Sequence[object]) -> Iterator[tuple[int, ...]]:
    """The distinct things that the mentions may be of: for each mention the place of one."""
    candidates = [
        {place for place, thing in enumerate(things) if agrees(mention, thing)}
        for mention in mentions
    ]
    if all(candidates):
        for places in permutations(range(len(things)), len(mentions)):
            if all(place in allowed for place, allowed in zip(places, candidates, strict=True)):
                yield places


def holds(
    meaning: Meaning[Mention, Relation],
    background: str,
    things: Sequence[object],
    relation: Relating[Relation],
) -> bool:
    """Whether there are distinct things for all mentions, related as claimed."""
    return is_set(meaning, background, len(things)) and any(
        all(relation(places[i], places[j]) == said for i, said, j in meaning.relations)
        for places in bindings(meaning.mentions, things)
    )


def claims(meaning: Meaning[Any, Any]) -> list[str]:
    """The words of a meaning without their bindings, sorted, repeated where said twice."""
    words = [word for mention in meaning.mentions for word in said_of(mention)]
    words += [str(said) for _, said, _ in meaning.relations]
    words += [] if meaning.background is None else [meaning.background]
    return sorted(words)


def distinct(tell: Callable[[], Caption[Told]], captions: int) -> list[Caption[Told]]:
    """``captions`` captions of different wording."""
    told: dict[str, Caption[Told]] = {}
    while len(told) < captions:
        caption = tell()
        told.setdefault(caption.text, caption)
    return list(told.values())


def related(things: int, relation: Relating[Relation]) -> list[Step[Relation]]:
    """Every two things that a relation can be told of."""
    pairs = ((i, j) for i in range(things) for j in range(things) if i != j)
    found = ((i, relation(i, j), j) for i, j in pairs)
    return [(i, said, j) for i, said, j in found if said is not None]


def chained(
    steps: Sequence[Step[Relation]], rng: random.Random
) -> tuple[Step[Relation], Step[Relation]] | None:
    """A relation of two things, and one of a third to either of them; None where there is none."""
    drawn = list(steps)
    rng.shuffle(drawn)
    first, two = drawn[0], (drawn[0][0], drawn[0][2])
    third = next((step for step in drawn if step[0] not in two and step[2] in two), None)
    return None if third is None else (first, third)


def grounded(body: str, ground: str, in_front: float, rng: random.Random) -> str:
    """A sentence with its background, if any; ``in_front`` is how often that comes first."""
    if not ground:
        return body
    return f"{ground}, {body}" if rng.random() < in_front else f"{body}, {ground}"
