"""Captions to ask with: made by a small grammar, as long as people's captions are."""

from __future__ import annotations

import random

# (one, several)
_WHO = (
    ("man", "men"),
    ("woman", "women"),
    ("boy", "boys"),
    ("girl", "girls"),
    ("child", "children"),
    ("dog", "dogs"),
    ("player", "players"),
    ("worker", "workers"),
    ("cyclist", "cyclists"),
    ("singer", "singers"),
    ("couple", "couples"),
    ("horse", "horses"),
    ("surfer", "surfers"),
    ("farmer", "farmers"),
    ("student", "students"),
    ("tourist", "tourists"),
)
_LIKE = ("a young", "an old", "a tall", "a smiling", "a tired", "a small", "a busy", "a muddy")
_SEVERAL = ("two", "three", "several")
_DOING = (
    "running fast",
    "jumping high",
    "sitting down",
    "standing still",
    "dancing alone",
    "fast asleep",
    "riding a bike",
    "holding a ball",
    "eating lunch",
    "reading a book",
    "throwing a frisbee",
    "playing a guitar",
    "climbing a rock",
    "looking at a camera",
    "pushing a cart",
    "painting a fence",
)
_COLOUR = ("red", "blue", "green", "black", "white", "yellow", "striped", "bright orange")
_WORN = ("shirt", "hat", "jacket", "dress", "coat", "helmet", "scarf", "uniform", "backpack")
_WHERE = (
    "on the street",
    "in the park",
    "at the beach",
    "near a lake",
    "in front of a shop",
    "on a wooden bench",
    "beside a brick wall",
    "in the snow",
    "on a stage",
    "at a market",
    "under a tree",
    "in a crowded train station",
    "on a grassy hill",
    "outside an old church",
    "in the kitchen",
    "across a bridge",
)
_WHEN = (
    "at night",
    "on a sunny day",
    "in the rain",
    "during a game",
    "early in the morning",
    "after dark",
)
_AND = ("while", "as")


def query_texts(count: int, seed: int = 0) -> list[str]:
    """``count`` different captions, skewed to the right in length as those of Flickr30K.

    CLIP's tokenizer makes 16 tokens of one on average, with its start and end, at least 8 and
    rarely above 40. Fewer captions are the beginning of more.
    """
    rng = random.Random(seed)
    # A dictionary, for its order.
    made: dict[str, None] = {}
    while len(made) < count:
        made[_caption(rng)] = None
    return list(made)


def _caption(rng: random.Random) -> str:
    text = _clause(rng)
    for chance in (0.17, 0.08):
        if rng.random() >= chance:
            break
        text += f" {rng.choice(_AND)} {_clause(rng)}"
    if rng.random() < 0.25:
        text += f" {rng.choice(_WHEN)}"
    return f"{text[0].upper()}{text[1:]}."


def _clause(rng: random.Random) -> str:
    one, several = rng.choice(_WHO)
    if rng.random() < 0.2:
        who = f"{rng.choice(_SEVERAL)} {several} are"
    else:
        who = f"{_person(rng, one)} is"
    doing = rng.choice(_DOING)
    return f"{who} {doing} {rng.choice(_WHERE)}" if rng.random() < 0.72 else f"{who} {doing}"


def _person(rng: random.Random, noun: str) -> str:
    named = f"a {noun}"
    if rng.random() < 0.45:
        named = f"{rng.choice(_LIKE)} {noun}"
    if rng.random() < 0.4:
        named += f" in a {rng.choice(_COLOUR)} {rng.choice(_WORN)}"
    return named
