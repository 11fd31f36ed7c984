"""What can be said of one sounding event, and the words for it."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Mention:
    """What a caption says of one event; None where it says nothing."""

    source: str | None
    pitch: str | None
    movement: str | None
    loudness: str | None
    times: int | None


@dataclass(frozen=True)
class Words:
    """Nouns of a source, and what it does: as a clause's verb and as a participle."""

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    participles: tuple[str, ...]


SOURCE_WORDS = {
    "bell": Words(
        ("bell", "bell", "chime"),
        ("rings", "sounds", "is rung", "is struck"),
        ("ringing", "being rung", "being struck"),
    ),
    "whistle": Words(
        ("whistle", "whistle", "pipe"),
        ("blows", "sounds", "is blown"),
        ("blowing", "sounding", "being blown"),
    ),
    "buzzer": Words(
        ("buzzer", "buzzer", "rasping alarm"),
        ("buzzes", "goes off", "is set off"),
        ("buzzing", "going off", "being set off"),
    ),
    "horn": Words(
        ("horn", "horn", "hooter"),
        ("honks", "sounds", "is sounded"),
        ("honking", "sounding", "being sounded"),
    ),
    "drum": Words(
        ("drum", "drum", "drumbeat"),
        ("thumps", "sounds", "is heard"),
        ("thumping", "sounding", "booming"),
    ),
    "bird": Words(
        ("bird", "bird", "songbird"),
        ("tweets", "chirps", "is heard chirping"),
        ("tweeting", "chirping"),
    ),
    "drop": Words(
        ("water drop", "drop of water", "drip"),
        ("plops", "falls", "is heard falling"),
        ("plopping", "falling"),
    ),
    "knock": Words(
        ("knock", "knock on wood", "rap on a door"),
        ("sounds", "is heard", "rings out"),
        ("sounding", "being heard"),
    ),
    "engine": Words(
        ("engine", "engine", "motor"),
        ("runs", "chugs", "is left running"),
        ("running", "chugging"),
    ),
}
ANY_SOURCE = Words(("sound", "noise"), ("is heard", "comes"), ("being heard", "coming"))

PITCH_WORDS = {"low": ("low", "deep", "low-pitched"), "high": ("high", "high-pitched", "shrill")}
LOUDNESS_WORDS = {"loud": ("loud", "strong"), "soft": ("soft", "quiet", "faint")}
LOUDNESS_ADVERBS = {"loud": ("loudly", "at full volume"), "soft": ("softly", "quietly", "faintly")}
MOVEMENT_WORDS = {"rising": ("rising",), "falling": ("falling",), "steady": ("steady", "even")}
MOVEMENT_TAILS = {
    "rising": ("rising in pitch", "going up", "sliding upwards"),
    "falling": ("falling in pitch", "going down", "sliding downwards"),
    "steady": ("at a steady pitch", "on one note"),
}
ENGINE_MOVEMENT_WORDS = {
    "rising": ("accelerating",),
    "falling": ("slowing",),
    "steady": ("steady", "even"),
}
ENGINE_TAILS = {
    "rising": ("speeding up", "revving up", "rising in pitch"),
    "falling": ("slowing down", "winding down", "falling in pitch"),
    "steady": ("at a steady speed", "without changing speed"),
}
TIMES_WORDS = {
    1: ("once", "just once"),
    2: ("twice", "two times"),
    3: ("three times", "thrice"),
}


def say(mention: Mention, rng: random.Random) -> tuple[str, str]:
    """A clause ("a bell rings twice") and a noun phrase ("a bell ringing twice")."""
    words = _words(mention)
    noun, loudness, tail = _noun(mention, rng)
    times = "" if mention.times is None else rng.choice(TIMES_WORDS[mention.times])
    clause = _spaced(noun, rng.choice(words.verbs), loudness, times, tail)
    if tail and mention.movement != "steady":
        return clause, _spaced(noun, tail, loudness, times)
    # Without something to say of how it sounds, the noun alone will often do.
    plain = not loudness and not times and rng.random() < 0.6
    participle = "" if plain else rng.choice(words.participles)
    return clause, _spaced(noun, participle, loudness, times, tail)


def noun_only(mention: Mention, rng: random.Random) -> str:
    """The mention as a noun phrase without a verb: "a loud bell, twice"."""
    noun, loudness, tail = _noun(mention, rng)
    times = "" if mention.times is None else f"heard {rng.choice(TIMES_WORDS[mention.times])}"
    played = _spaced("played" if loudness and not times else "", times, loudness)
    return _spaced(noun, played, tail)


def short_name(mention: Mention) -> str:
    """How a later part of a caption refers back to an event."""
    if mention.source is not None:
        return f"the {SOURCE_WORDS[mention.source].nouns[0]}"
    told = (mention.pitch, mention.movement, mention.loudness)
    return f"the {next((word for word in told if word is not None), 'other')} sound"


def _words(mention: Mention) -> Words:
    return ANY_SOURCE if mention.source is None else SOURCE_WORDS[mention.source]


def _noun(mention: Mention, rng: random.Random) -> tuple[str, str, str]:
    """The noun with its adjectives; loudness as an adverb and movement as a tail, or nothing."""
    adjectives, adverb, tail = [], "", ""
    engine = mention.source == "engine"
    if mention.loudness is not None:
        if rng.random() < 0.6:
            adjectives.append(rng.choice(LOUDNESS_WORDS[mention.loudness]))
        else:
            adverb = rng.choice(LOUDNESS_ADVERBS[mention.loudness])
    if mention.movement is not None:
        if rng.random() < 0.4:
            words = ENGINE_MOVEMENT_WORDS if engine else MOVEMENT_WORDS
            adjectives.append(rng.choice(words[mention.movement]))
        else:
            tails = ENGINE_TAILS if engine else MOVEMENT_TAILS
            tail = rng.choice(tails[mention.movement])
    if mention.pitch is not None:
        adjectives.append(rng.choice(PITCH_WORDS[mention.pitch]))
    named = _spaced(*adjectives, rng.choice(_words(mention).nouns))
    article = "an" if named[0] in "aeiou" else "a"
    return f"{article} {named}", adverb, tail


def _spaced(*parts: str) -> str:
    return " ".join(part for part in parts if part)
