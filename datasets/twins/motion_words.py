"""Words for what movers do, for when and where; several for each."""

from __future__ import annotations

from dataclasses import dataclass

from datasets.twins.moving_scenes import Action, Encounter
from datasets.twins.scenes import Relation


@dataclass(frozen=True)
class Verb:
    """A verb phrase in the present: "moves to the left", "moving to the left"."""

    finite: str
    gerund: str


def _verbs(*phrases: tuple[str, str, str]) -> tuple[Verb, ...]:
    return tuple(
        Verb(f"{finite} {rest}".strip(), f"{gerund} {rest}".strip())
        for finite, gerund, rest in phrases
    )


VERBS: dict[Action | Encounter, tuple[Verb, ...]] = {
    "left": _verbs(
        ("moves", "moving", "left"),
        ("moves", "moving", "to the left"),
        ("slides", "sliding", "to the left"),
        ("drifts", "drifting", "left"),
        ("goes", "going", "towards the left"),
        ("travels", "travelling", "left"),
    ),
    "right": _verbs(
        ("moves", "moving", "right"),
        ("moves", "moving", "to the right"),
        ("slides", "sliding", "to the right"),
        ("drifts", "drifting", "right"),
        ("goes", "going", "towards the right"),
        ("travels", "travelling", "right"),
    ),
    "up": _verbs(
        ("rises", "rising", ""),
        ("moves", "moving", "up"),
        ("climbs", "climbing", ""),
        ("floats", "floating", "upwards"),
        ("goes", "going", "up"),
    ),
    "down": _verbs(
        ("falls", "falling", ""),
        ("moves", "moving", "down"),
        ("drops", "dropping", ""),
        ("sinks", "sinking", "downwards"),
        ("goes", "going", "down"),
    ),
    "grows": _verbs(
        ("grows", "growing", ""),
        ("gets", "getting", "bigger"),
        ("becomes", "becoming", "larger"),
        ("swells", "swelling", ""),
    ),
    "shrinks": _verbs(
        ("shrinks", "shrinking", ""),
        ("gets", "getting", "smaller"),
        ("becomes", "becoming", "smaller"),
        ("dwindles", "dwindling", ""),
    ),
    "spins": _verbs(
        ("spins", "spinning", ""),
        ("rotates", "rotating", ""),
        ("turns", "turning", "on the spot"),
        ("twirls", "twirling", ""),
    ),
    "blinks": _verbs(
        ("blinks", "blinking", ""),
        ("flashes", "flashing", ""),
        ("vanishes", "vanishing", "for a moment"),
        ("disappears", "disappearing", "briefly"),
    ),
    "circles": _verbs(
        ("circles", "circling", ""),
        ("moves", "moving", "in a circle"),
        ("runs", "running", "in a loop"),
        ("goes", "going", "round in a ring"),
    ),
    "rests": _verbs(
        ("stays", "staying", "still"),
        ("stays", "staying", "in place"),
        ("stands", "standing", "still"),
        ("keeps", "keeping", "still"),
    ),
    "passes": _verbs(
        ("passes", "passing", ""),
        ("goes", "going", "past"),
        ("moves", "moving", "past"),
        ("slides", "sliding", "past"),
    ),
    "approaches": _verbs(
        ("approaches", "approaching", ""),
        ("moves", "moving", "towards"),
        ("heads", "heading", "for"),
        ("comes", "coming", "closer to"),
    ),
    "leaves": _verbs(
        ("leaves", "leaving", ""),
        ("moves", "moving", "away from"),
        ("drifts", "drifting", "away from"),
        ("gets", "getting", "further from"),
    ),
}
PLACE_WORDS: dict[Relation, tuple[str, ...]] = {
    "left of": ("to the left of", "left of", "on the left side of"),
    "right of": ("to the right of", "right of", "on the right side of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "beneath"),
}
BEGINNINGS = ("at first", "at the start", "in the beginning")
ENDS = ("in the end", "at the end", "finally")
# {a} happens before {b}; clauses with a finite verb. Half of them tell the later one first.
IN_TURN = (
    "first {a}, then {b}",
    "{a} and then {b}",
    "{a} before {b}",
    "after {a}, {b}",
    "once {a}, {b}",
    "{b} after {a}",
    "{b} once {a}",
    "before {b}, {a}",
    "{b}, but first {a}",
    "{b}, but before that {a}",
)
TOGETHER = (
    "{a} while {b}",
    "{a} as {b}",
    "while {a}, {b}",
    "{a} and at the same time {b}",
    "{a} and meanwhile {b}",
)
# One mover {who} does {a} and then {b}; {aing} and {bing} are the gerunds.
CHANGING = (
    "{who} {a} and then {b}",
    "{who} first {a} and then {b}",
    "{who} {a}, then {b}",
    "{who} {a} before {bing}",
    "after {aing}, {who} {b}",
    "{who} {b} after {aing}",
    "before {bing}, {who} {a}",
    "{who} {b}, but first it {a}",
)
LEADS = ("a video of", "a clip of", "an animation of", "there is", "we see")
