"""Datasets by name, each known before its code is loaded.

A name on a command line may have a protocol's variant after a colon: ``mscoco:1k``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from datasets import protocol_card
from datasets.base import DatasetError, Modality
from datasets.protocol_card import ProtocolCard


class UnknownDataset(DatasetError):
    """A name that no dataset has; the message names those that are near."""


@dataclass(frozen=True)
class Entry:
    """A registered dataset.

    loader  module that meets ``datasets.loading.Loader``
    twin    name of the procedural twin that stands in for it, if it has one
    maker   module that draws it, if it is a twin itself (see ``datasets.twins.drawn.Maker``)
    """

    name: str
    loader: str
    summary: str
    modality: Modality
    twin: str | None = None
    maker: str | None = None

    @property
    def synthetic(self) -> bool:
        return self.maker is not None


def _real(name: str, modality: Modality, summary: str) -> Entry:
    return Entry(name, f"datasets.{name}", summary, modality, twin=f"{name}-mini")


def _twin(name: str, modality: Modality, summary: str) -> Entry:
    maker = f"datasets.twins.{name}_mini"
    return Entry(f"{name}-mini", f"datasets.{name}", summary, modality, maker=maker)


_ENTRIES = {
    entry.name: entry
    for entry in (
        _real("flickr30k", "image", "31,014 photos with five captions each"),
        _real("mscoco", "image", "123,287 photos with five captions each"),
        _real("clotho", "audio", "5,929 sounds of 15 to 30 s with five captions each"),
        _real("audiocaps", "audio", "51,308 sounds of 10 s with one caption, in test five"),
        _real("msrvtt", "video", "10,000 videos with twenty captions each"),
        _real("msvd", "video", "1,970 videos with about forty captions each"),
        _twin("flickr30k", "image", "drawn scenes with five captions each; synthetic"),
        _twin("mscoco", "image", "drawn scenes with five captions or more each; synthetic"),
        _twin("clotho", "audio", "synthesised sounds with five captions each; synthetic"),
        _twin("audiocaps", "audio", "synthesised sounds, one caption, in test five; synthetic"),
        _twin("msrvtt", "video", "drawn moving scenes with twenty captions each; synthetic"),
        _twin("msvd", "video", "drawn moving scenes with about forty captions each; synthetic"),
    )
}


def names() -> tuple[str, ...]:
    """The names of all datasets, each twin behind its real one; no variants."""
    real = [one for one in _ENTRIES.values() if not one.synthetic]
    return tuple(name for one in real for name in (one.name, one.twin) if name is not None)


def entry(name: str) -> Entry:
    """The entry of a dataset; a variant in the name is not looked at.

    Raises UnknownDataset, naming those that are near.
    """
    base = name.partition(":")[0]
    if base in _ENTRIES:
        return _ENTRIES[base]
    near = difflib.get_close_matches(base.lower(), names(), n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UnknownDataset(f"There is no dataset {base!r}. {hint}Known: {', '.join(names())}.")


def card(name: str) -> ProtocolCard:
    """The protocol card of a dataset; of a variant alone where the name has one.

    Raises UnknownDataset, and for an unknown variant DatasetError naming the known ones.
    """
    whole = protocol_card.read(entry(name).name)
    _, colon, variant = name.partition(":")
    return whole.only(variant) if colon else whole
