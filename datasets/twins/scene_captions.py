"""Captions of procedural scenes: what is said (a meaning) and how it is worded.

A caption tells part of a scene, from two objects and their relation to every object and the
background. Its ``Meaning`` says which scenes it is true of, without regard to the wording.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from datasets.twins import telling
from datasets.twins.scenes import Relation, Scene, relation
from datasets.twins.telling import Step, chained, distinct, grounded, holds, related

GROUND_IN_FRONT = 0.2


class Attributes(Protocol):
    """What an object has that can be told of it; a size may change and then has no word."""

    @property
    def shape(self) -> str: ...
    @property
    def colour(self) -> str: ...
    @property
    def size(self) -> str | None: ...
    @property
    def fill(self) -> str: ...


@dataclass(frozen=True)
class Mention:
    """What a caption says of one object; None where it says nothing."""

    shape: str | None
    colour: str | None
    size: str | None
    fill: str | None


Meaning = telling.Meaning[Mention, Relation]
Caption = telling.Caption[Meaning]
claims = telling.claims


def fits(meaning: Meaning, scene: Scene) -> bool:
    """Whether the scene has distinct objects for all mentions, related as claimed."""
    return holds(meaning, scene.background, scene.objects, partial(relation, scene))


def describe(scene: Scene, rng: random.Random, captions: int = 5) -> list[Caption]:
    """``captions`` captions of different wording."""
    return distinct(lambda: _describe_once(scene, rng), captions)


def _describe_once(scene: Scene, rng: random.Random) -> Caption:
    plan = rng.choices((_pair, _chain, _listing), weights=(72, 8, 20))[0]
    return plan(scene, rng)


COLOUR_WORDS = {
    "red": ("red", "red", "crimson", "scarlet"),
    "orange": ("orange", "orange", "tangerine"),
    "yellow": ("yellow", "yellow", "lemon"),
    "green": ("green", "green", "emerald"),
    "blue": ("blue", "blue", "cobalt"),
    "purple": ("purple", "purple", "violet"),
    "black": ("black", "black", "jet-black"),
    "white": ("white", "white", "snowy"),
}
SHAPE_WORDS = {
    "circle": ("circle", "circle", "disc"),
    "square": ("square", "square", "box"),
    "triangle": ("triangle", "triangle", "wedge"),
    "star": ("star", "star", "five-pointed star"),
    "cross": ("cross", "cross", "plus sign"),
    "heart": ("heart", "heart", "love heart"),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
FILL_WORDS = {
    "solid": ("solid", "plain"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "outlined": ("hollow", "outlined"),
}
FILL_TAILS = {
    "striped": ("with stripes", "covered in stripes"),
    "dotted": ("with dots", "full of spots"),
}
BACKGROUND_WORDS = {
    "grey": ("on plain grey", "against a grey background", "on a grey backdrop"),
    "sky": ("against a pale sky", "in the sky", "in front of a light blue sky"),
    "sand": ("on sand", "on a sandy ground", "on the beach"),
    "meadow": ("on grass", "in a meadow", "over a grassy lawn"),
    "checks": ("on a chequered floor", "on grey tiles", "over a checked pattern"),
    "night": ("at night", "against a starry night sky", "in the dark among stars"),
    "bricks": ("on a brick wall", "in front of bricks", "against brickwork"),
    "boards": ("on wooden boards", "on a wooden table", "against brown planks"),
}
RELATION_WORDS: dict[Relation, tuple[str, ...]] = {
    "left of": ("to the left of", "left of", "on the left side of"),
    "right of": ("to the right of", "right of", "on the right side of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "beneath"),
    "inside": ("inside", "within", "enclosed by"),
    "around": ("around", "surrounding", "enclosing"),
    "on": ("in front of", "partly covering", "overlapping"),
    "under": ("partly hidden by", "behind", "partly covered by"),
}
COUNT_WORDS = {2: "Two", 3: "Three", 4: "Four"}


def notice(shape: Attributes, rng: random.Random) -> Mention:
    """Some of what can be said of an object: nearly always its shape and its colour."""
    says_shape = rng.random() < 0.94
    says_colour = not says_shape or rng.random() < 0.9
    says_size = rng.random() < 0.12
    says_fill = rng.random() < (0.06 if shape.fill == "solid" else 0.22)
    return Mention(
        shape.shape if says_shape else None,
        shape.colour if says_colour else None,
        shape.size if says_size else None,
        shape.fill if says_fill else None,
    )


def noun_phrase(mention: Mention, rng: random.Random) -> str:
    """A mention in words, with an indefinite article: "a big red disc"."""
    noun = "shape" if mention.shape is None else rng.choice(SHAPE_WORDS[mention.shape])
    words = []
    tail = ""
    if mention.size is not None:
        words.append(rng.choice(SIZE_WORDS[mention.size]))
    if mention.fill is not None:
        if mention.fill in FILL_TAILS and rng.random() < 0.35:
            tail = " " + rng.choice(FILL_TAILS[mention.fill])
        else:
            words.append(rng.choice(FILL_WORDS[mention.fill]))
    if mention.colour is not None:
        words.append(rng.choice(COLOUR_WORDS[mention.colour]))
    return _with_article(" ".join([*words, noun])) + tail


def _short_phrase(mention: Mention) -> str:
    words = [word for word in (mention.colour, mention.shape or "shape") if word is not None]
    return "the " + " ".join(words)


def _with_article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _sentence(phrase: str, rng: random.Random) -> str:
    text = phrase[0].upper() + phrase[1:]
    return text + rng.choice((".", ".", ".", ""))


def _related(scene: Scene) -> list[Step[Relation]]:
    return related(len(scene.objects), partial(relation, scene))


def _ground(scene: Scene, rng: random.Random, share: float) -> tuple[str | None, str]:
    if rng.random() >= share:
        return None, ""
    return scene.background, rng.choice(BACKGROUND_WORDS[scene.background])


def _pair(scene: Scene, rng: random.Random) -> Caption:
    """Two objects and their relation, in one of several constructions."""
    first, said, second = rng.choice(_related(scene))
    mentions = (notice(scene.objects[first], rng), notice(scene.objects[second], rng))
    a, b = (noun_phrase(mention, rng) for mention in mentions)
    background, ground = _ground(scene, rng, 0.85)
    words = rng.choice(RELATION_WORDS[said])
    forms = [f"{a} {words} {b}", f"{a} is {words} {b}", f"there is {a} {words} {b}"]
    if said in ("left of", "right of"):
        side = said.removesuffix(" of")
        forms += [f"{b} has {a} to its {side}", f"{a} on the {side} and {b} on the other side"]
    elif said == "around":
        forms += [f"{a} surrounds {b}", f"{a} contains {b}", f"{a} with {b} in it"]
    elif said == "on":
        forms += [f"{a} partly covers {b}", f"{a} lies on top of {b}"]
    elif said == "above":
        forms += [f"{a} at the top and {b} further down"]
    body = rng.choice(forms)
    count = len(scene.objects) if rng.random() < 0.06 else None
    if count is not None:
        body = f"{COUNT_WORDS[count].lower()} shapes, {a} {words} {b}"
    text = grounded(body, ground, GROUND_IN_FRONT, rng)
    return Caption(_sentence(text, rng), Meaning(mentions, ((0, said, 1),), background, count))


def _chain(scene: Scene, rng: random.Random) -> Caption:
    """Three objects, the third related to one of the first two."""
    steps = chained(_related(scene), rng)
    if steps is None:
        return _pair(scene, rng)
    (first, said, second), (third, also, anchor) = steps
    places = (first, second, third)
    mentions = tuple(notice(scene.objects[place], rng) for place in places)
    a, b, c = (noun_phrase(mention, rng) for mention in mentions)
    at = places.index(anchor)
    back = _short_phrase(mentions[at])
    words, more = rng.choice(RELATION_WORDS[said]), rng.choice(RELATION_WORDS[also])
    body = rng.choice(
        (
            f"{a} {words} {b}, and {c} {more} {back}",
            f"{a} is {words} {b}, with {c} {more} {back}",
            f"{a} {words} {b}; {more} {back} is {c}",
        )
    )
    background, ground = _ground(scene, rng, 0.5)
    meaning = Meaning(mentions, ((0, said, 1), (2, also, at)), background)
    return Caption(_sentence(grounded(body, ground, GROUND_IN_FRONT, rng), rng), meaning)


def _listing(scene: Scene, rng: random.Random) -> Caption:
    """Every object, without a relation."""
    places = list(range(len(scene.objects)))
    rng.shuffle(places)
    mentions = tuple(notice(scene.objects[place], rng) for place in places)
    background, ground = _ground(scene, rng, 0.8)
    *most, last = (noun_phrase(mention, rng) for mention in mentions)
    count = None
    objects = f"{', '.join(most)} and {last}"
    if rng.random() < 0.2:
        count = len(places)
        lead = f"{COUNT_WORDS[count].lower()} shapes"
        text = f"{lead} {ground}: {objects}" if ground else f"{lead}: {objects}"
    else:
        text = grounded(objects, ground, GROUND_IN_FRONT, rng)
    return Caption(_sentence(text, rng), Meaning(mentions, (), background, count))


def identifying_share(captions: Iterable[tuple[int, Meaning]], gallery: list[Scene]) -> float:
    """Share of captions (with their own row) whose meaning fits that row alone."""
    told = [(row, [fits(meaning, scene) for scene in gallery]) for row, meaning in captions]
    return sum(found[row] and sum(found) == 1 for row, found in told) / len(told)
