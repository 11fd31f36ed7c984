"""Protocol cards: what a published dataset must hold for its results to bear its name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from datasets.base import DatasetError, MediaToText, Modality

CARDS = Path(__file__).parent / "cards"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Counts:
    """How much a split holds; None where the card does not say.

    captions  as the annotation file lists them, before any cap
    queries   captions that are asked, for the test split
    """

    items: int | None = None
    captions: int | None = None
    queries: int | None = None


@dataclass(frozen=True)
class Protocol:
    """A named split of a dataset.

    variant      what a command line puts after the colon to have it: ``mscoco:1k``
    family       the stem of the name that a partial gallery gets: ``family-4990of5000``
    annotations  names of the annotation files, the one that holds the test split first
    forms        what may hold the test split, a phrase for each, in order of preference; empty
                 where the first of ``annotations`` is all there is
    splits       split -> counts; a split that is absent is not checked
    folds        galleries that the test split is dealt into, the result being their mean
    max_captions_per_item  captions of a test item that become queries; None for all
    """

    name: str
    family: str
    variant: str = ""
    annotations: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    splits: Mapping[str, Counts] = field(default_factory=dict)
    folds: int = 1
    max_captions_per_item: int | None = None


@dataclass(frozen=True)
class ProtocolCard:
    """What is known of a dataset before its files are seen.

    relevance      which items answer a query, in a sentence
    source         where to get the files, in a sentence
    folders        names of its folder under the data root
    media          names of the folders that hold its media
    protocols      in order of preference
    media_to_text  the published rule of the reverse direction
    missing_media  "dropped" where public copies lack files that no one can fetch any more: such
                   an item leaves gallery and queries and the protocol is renamed; "refused"
                   elsewhere, unless the user allows it
    """

    name: str
    title: str
    modality: Modality
    synthetic: bool
    relevance: str
    source: str
    licence: str
    citation: str
    folders: tuple[str, ...]
    media: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    media_to_text: MediaToText = "any caption"
    missing_media: Literal["refused", "dropped"] = "refused"

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(protocol.variant for protocol in self.protocols if protocol.variant)

    @property
    def wanted(self) -> str:
        """The files that may hold the test split, each named once: ``a.json, b.csv or c.txt``."""
        phrases = [phrase for one in self.protocols for phrase in one.forms or one.annotations[:1]]
        *others, last = dict.fromkeys(phrases)
        return f"{', '.join(others)} or {last}" if others else last

    def only(self, variant: str) -> ProtocolCard:
        """The card with the protocol of one variant alone. Raises DatasetError, naming all."""
        chosen = tuple(one for one in self.protocols if one.variant == variant)
        if not chosen:
            known = ", ".join(f"{self.name}:{one}" for one in self.variants) or "none"
            raise DatasetError(f"{self.name} has no variant {variant!r}. Variants: {known}.")
        return replace(self, protocols=chosen)


def read(name: str, folder: Path = CARDS) -> ProtocolCard:
    """The card of a dataset. Raises DatasetError when it is absent or not well formed."""
    path = folder / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DatasetError(f"{name} has no protocol card: {path} is not there") from error
    return parse(text, str(path))


def parse(text: str, where: str) -> ProtocolCard:
    """Read a card from TOML. Raises DatasetError, naming ``where``."""
    try:
        table = tomllib.loads(text)
        protocols = tuple(_protocol(entry) for entry in table.pop("protocols"))
        for key in ("folders", "media"):
            table[key] = tuple(table[key])
        card = ProtocolCard(protocols=protocols, **table)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{where} is not a protocol card: {error}") from error
    if not card.protocols or card.modality not in get_args(Modality):
        raise DatasetError(f"{where} names no protocol, or an unknown modality {card.modality!r}")
    if card.media_to_text not in get_args(MediaToText):
        raise DatasetError(f"{where} names an unknown rule {card.media_to_text!r}")
    if card.missing_media not in ("refused", "dropped"):
        raise DatasetError(f"{where}: missing_media is {card.missing_media!r}")
    if len(set(card.variants)) < len(card.variants):
        raise DatasetError(f"{where} names a variant twice")
    return card


def _protocol(table: dict[str, Any]) -> Protocol:
    splits = {split: Counts(**counts) for split, counts in table.pop("splits", {}).items()}
    unknown = splits.keys() - set(SPLITS)
    if unknown:
        raise TypeError(f"splits {sorted(unknown)} are none of {SPLITS}")
    for key in ("annotations", "forms"):
        table[key] = tuple(table.get(key, ()))
    return Protocol(splits=splits, **table)


def achieved(protocol: Protocol, found: Mapping[str, Counts]) -> tuple[str, tuple[str, ...]]:
    """The protocol's name for what was found, and a sentence for each gap.

    The name is the card's own only where every count that decides a result is met: the items
    and queries of the test split, the items and captions of the others.
    """
    name, notes = protocol.name, []
    gallery = _gap(protocol, found, "test", "items")
    if gallery:
        name = f"{protocol.family}-{gallery[0]}of{gallery[1]}"
        notes.append(_sentence("The gallery holds", *gallery, "items"))
    elif asked := _gap(protocol, found, "test", "queries"):
        name = f"{protocol.name}-{asked[0]}queries"
        notes.append(_sentence("The test split asks", *asked, "queries"))
    for split, short in (("train", "train"), ("validation", "val")):
        if items := _gap(protocol, found, split, "items"):
            name += f"-{short}{items[0]}of{items[1]}"
            notes.append(_sentence(f"The {split} split holds", *items, "items"))
        elif captions := _gap(protocol, found, split, "captions"):
            name += f"-{short}{captions[0]}captions"
            notes.append(_sentence(f"The {split} split holds", *captions, "captions"))
    if notes:
        notes.append(f"The protocol is therefore named {name}, not {protocol.name}.")
    return name, tuple(notes)


def _gap(
    protocol: Protocol, found: Mapping[str, Counts], split: str, what: str
) -> tuple[int, int] | None:
    due = getattr(protocol.splits.get(split, Counts()), what)
    here = getattr(found.get(split, Counts()), what) or 0
    return None if due is None or due == here else (here, due)


def _sentence(opening: str, here: int, due: int, what: str) -> str:
    return f"{opening} {here:,} of the {due:,} {what} that its protocol states."
