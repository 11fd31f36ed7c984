"""Whether what was said of gallery items is what people said of them: the queries.

A transductive retriever learns its gallery from captions, and the human captions of test items
are what it is asked later. This is the one place where the two are laid side by side.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.galleries import Gallery
from retrievers.base import GalleryCaptions

# How often chance may be exceeded, and the share of all possible matches that is let pass: a
# captioner prefers what people say most, so it meets their words more often than they meet each
# other's.
_TIMES_CHANCE = 2.0
_LET_PASS = 0.1
_FULL_STOPS = " .!?…"


class LeakedCaptions(Exception):
    """Captions that hold what people said of test items; the message says what to do."""


@dataclass(frozen=True)
class Heard:
    """What the captions of all galleries have in common with the queries.

    queries   asked of items in these galleries
    verbatim  queries whose own item was said in the same words
    untaught  of those, the ones that no training caption says
    matches   different texts that are an untaught query and a caption of the same item, summed
              over the items
    most      matches there could be: the fewer of an item's untaught queries and captions
    chance    matches there would be if a caption met a query as often as two people meet
    """

    queries: int
    verbatim: int
    untaught: int
    matches: int
    most: int
    chance: float


def check_captions(
    told: Sequence[tuple[Gallery, GalleryCaptions]], training_captions: Iterable[str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Diagnostics and notes on the captions of the galleries that were searched.

    "captions/verbatim" is the share of queries whose own item was said in the same words, case,
    white space and a full stop aside; "captions/verbatim_untaught" of those that no training
    caption says.

    What a training caption says may be said of a test item: neighbours lend nothing else, and
    anything that learned from the training pairs knows it. So only the other queries can accuse.
    Some of them are met by chance, more where captions are short or made from templates. How
    many is told by the people who wrote them: as often as two captions of one test item agree,
    so often a caption that was made may agree with one of them. Captions that come from outside
    and agree more than twice as often, and a tenth of what is possible besides, are taken for
    the test set's own. Honest captions of short videos stay far below that; a file that holds
    one human caption an item beside nine others does not. Where an item has one query, chance
    counts as nothing. What was reworded is not found: this detects a mistake, not a fraud.

    Captions that were made here, from media or from training captions, are reported and never
    refused. Raises LeakedCaptions.
    """
    if not told:
        return {}, ()
    heard = _heard(told, {plain_words(text) for text in training_captions})
    source = told[-1][1].source
    if any(captions.outside for _, captions in told) and _is_leak(heard):
        raise LeakedCaptions(
            f"{source[:1].upper()}{source[1:]} holds human captions of the test items: "
            f"{heard.matches:,} times it says of an item, word for word, what a query asks and no "
            f"training caption says, where chance gives {heard.chance:.1f}. Nothing may be "
            "learned from them: give captions that were made without the test set's own, or say "
            "captioner=none."
        )
    remarks = dict.fromkeys(note for _, captions in told for note in captions.remarks)
    shares = {"captions/verbatim": heard.verbatim, "captions/verbatim_untaught": heard.untaught}
    return {name: count / max(1, heard.queries) for name, count in shares.items()}, tuple(remarks)


def plain_words(text: str) -> str:
    """The text as it is compared: NFC, caseless, one space between words, no full stop."""
    caseless = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(caseless.split()).rstrip(_FULL_STOPS)


def _is_leak(heard: Heard) -> bool:
    return heard.matches > _TIMES_CHANCE * heard.chance + _LET_PASS * heard.most


def _heard(told: Sequence[tuple[Gallery, GalleryCaptions]], taught: set[str]) -> Heard:
    queries = verbatim = untaught = matches = most = 0
    pairs = agreements = met = 0
    for gallery, captions in told:
        said_of = {
            item.id: texts for item, texts in zip(gallery.items, captions.texts, strict=True)
        }
        for item, asked in _asked_of(gallery).items():
            said = {plain_words(text) for text in said_of.get(item, ())}
            new = [text for text in asked if text not in taught]
            common = {text for text in new if text in said}
            queries += len(asked)
            verbatim += sum(text in said for text in asked)
            untaught += sum(text in common for text in new)
            matches += len(common)
            most += min(len(set(new)), len(said))
            met += len(new) * len(said)
            pairs += len(asked) * (len(asked) - 1) // 2
            agreements += sum(one == other for one, other in combinations(new, 2))
    return Heard(queries, verbatim, untaught, matches, most, met * agreements / max(1, pairs))


def _asked_of(gallery: Gallery) -> dict[str, list[str]]:
    """The queries of each item, as they are compared; one of several right items has it too."""
    asked: dict[str, list[str]] = {}
    here = {item.id for item in gallery.items}
    for query in gallery.queries:
        for item in here.intersection(query.relevant):
            asked.setdefault(item, []).append(plain_words(query.text))
    return asked
